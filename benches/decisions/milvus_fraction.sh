#!/usr/bin/env bash
# For `tailtrace sweep --vary env.MILVUS_SAMPLE_FRACTION=… --before-each benches/decisions/milvus_fraction.sh`: starts Milvus anew,
# empty, with that sampleFraction; the sweep makes its collection again. MILVUS_SAMPLE_FRACTION is the value; the rest: tests/real-stack/settings.sh.
set -euo pipefail
stack=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../tests/real-stack" && pwd)
"$stack/milvus.sh" stop
exec "$stack/milvus.sh" start
