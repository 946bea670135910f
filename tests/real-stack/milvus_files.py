"""Files of a Milvus standalone server, made from PyPI's `milvus` package; runs in the environment that holds the package.

    milvus_files.py unpack FOLDER                  the server and its libraries into FOLDER/bin
    milvus_files.py configure FOLDER KEY=VALUE…    FOLDER/configs/milvus.yaml and the folders it names

The package can start the server itself, but then a Python process stands between the caller and the server, and the server
outlives it when that process is killed. Started by milvus.sh, the server is the process whose id is known.
"""

import contextlib
import pathlib
import socket
import sys

import milvus

# Milvus announces the first address of the machine to its own parts unless told otherwise; in a network namespace with
# nothing but loopback there is none.
PARTS = ("rootCoord", "proxy", "queryCoord", "queryNode", "indexNode", "dataCoord", "dataNode")


class Config(milvus.MilvusServerConfig):
    """The package's, but for how it asks whether a port is free."""

    def try_bind_port(self, port):
        """As the server binds it: connections of a Milvus that has just ended linger for a minute, and are no reason to refuse."""
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            bound.bind(("127.0.0.1", port))
            bound.listen()
            return bound
        return None


def unpack(folder):
    milvus._initialize_data_files(str(folder))  # the package has no public name for it; its version is pinned
    (folder / "complete").touch()  # written last: an interrupted unpacking is not taken for a whole one


def configure(folder, settings):
    ports = {key: int(value) for key, value in settings.items() if key.endswith("_port")}
    config = Config(data_dir=str(folder), **ports)
    for part in PARTS:
        config.set(f"{part}.ip", "127.0.0.1")
    for key, value in settings.items():
        if key not in ports:
            config.set(key, value)
    config.resolve()
    written = (folder / "configs" / "milvus.yaml").read_text()
    # The package drops settings it does not find in its template without a word; a Milvus that traces nowhere is found out late.
    missing = [value for key, value in settings.items() if key not in ports and f": {value}" not in written]
    if missing:
        sys.exit(f"milvus {milvus.__version__} did not take these settings: {', '.join(missing)}")


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("unpack", "configure"):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    if sys.argv[1] == "unpack":
        unpack(folder)
    else:
        configure(folder, dict(pair.split("=", 1) for pair in sys.argv[3:]))


main()
