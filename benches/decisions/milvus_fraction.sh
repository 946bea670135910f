#!/usr/bin/env bash
# For `tailtrace sweep --vary env.MILVUS_SAMPLE_FRACTION=… --before-each benches/decisions/milvus_fraction.sh`: restarts Milvus with
# that sampleFraction, where it runs with another. MILVUS_SAMPLE_FRACTION is the value; the rest: tests/real-stack/settings.sh.
set -euo pipefail
stack=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../tests/real-stack" && pwd)
exec "$stack/milvus.sh" restart
