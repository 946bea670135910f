"""Prints what PyPI's pymilvus 2.5.9 sends for a few requests: one a line, its name and the message in hexadecimal.

    pip install pymilvus==2.5.9
    python tests/golden/pymilvus_requests.py > tests/golden/pymilvus_requests.txt
"""
from pymilvus import DataType
from pymilvus.client import ts_utils
from pymilvus.client.prepare import Prepare

VECTOR = [0.5, -1.0, 2.0, 0.25]
FIELDS = [
    {"name": "id", "type": DataType.INT64, "is_primary": True, "params": {}},
    {"name": "vector", "type": DataType.FLOAT_VECTOR, "params": {"dim": 4}},
]


def show(name, request):
    print(name, request.SerializeToString().hex())


def search(name, level):
    chosen = {} if level is None else {"consistency_level": level}
    param = {"metric_type": "L2", "params": {"ef": 64}}
    show(name, Prepare.search_requests_with_expr("things", [VECTOR], "vector", param, 10, **chosen))


for level in ("Strong", "Session", "Bounded", "Eventually"):
    search(f"search-{level.lower()}", level)
search("search-default", None)

# After a write of this session; the timestamp is a hybrid one.
ts_utils.update_collection_ts("things", 453_000_000_000_000_000)
search("search-session-written", "Session")
search("search-default-written", None)

rows = [{"id": 1 << 44, "vector": VECTOR}, {"id": (1 << 44) + 1, "vector": [1.0, 2.0, 3.0, 4.0]}]
show("insert-int64", Prepare.row_insert_param("things", rows, "", FIELDS))
FIELDS[0]["type"] = DataType.VARCHAR
rows = [{"id": "0", "vector": VECTOR}]
show("insert-varchar", Prepare.row_insert_param("things", rows, "", FIELDS))
