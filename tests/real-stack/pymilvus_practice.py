"""Runs PyPI's pymilvus, unchanged, against a Milvus-compatible server and compares every answer with exact ones.

    pymilvus_practice.py URI       URI as MilvusClient takes it: http://127.0.0.1:19530

The script knows nothing of the practice target: it passes against a real Milvus as well, which is what it is validated on.
Searches are compared with brute force in 64-bit floats, so an approximate index fails where it misses a row.

Exit status: 0 every answer is right, 1 one is wrong (an assertion says which).
"""

import logging
import sys
import time

import numpy
from pymilvus import DataType, MilvusClient, MilvusException

DIM = 24
ROWS = 500
TOP_K = 10
METRICS = ("L2", "IP", "COSINE")
COLORS = ("red", "green", "blue")
# 32-bit sums over 24 elements, in whatever order the server adds them.
TOLERANCE = 1e-4


class Rows:
    """What was inserted, and the exact answers over it."""

    def __init__(self, generator):
        self.vectors = generator.normal(size=(ROWS, DIM)).astype(numpy.float32)
        self.scalars = [
            {"color": COLORS[row % 3], "price": row % 50, "weight": row / 8, "sold": row % 5 == 0} for row in range(ROWS)
        ]
        self.alive = set(range(ROWS))

    def as_dicts(self):
        return [{"id": row, "vector": self.vectors[row].tolist(), **self.scalars[row]} for row in range(ROWS)]

    def where(self, accepts):
        return {row for row in self.alive if accepts(row, self.scalars[row])}

    def nearest(self, metric, query, rows):
        """Row ids by distance, best first, and the distance of each, as Milvus defines it."""
        ids = numpy.array(sorted(rows))
        vectors, query = self.vectors[ids].astype(numpy.float64), query.astype(numpy.float64)
        if metric == "L2":
            distances = ((vectors - query) ** 2).sum(axis=1)
        else:
            distances = vectors @ query
        if metric == "COSINE":
            distances = distances / (numpy.linalg.norm(vectors, axis=1) * numpy.linalg.norm(query))
        order = numpy.argsort(distances if metric == "L2" else -distances, kind="stable")
        return dict(zip(ids[order].tolist(), distances[order].tolist()))


# What a filter says in Milvus's language, and in Python's.
FILTERS = {
    'color == "red"': lambda _, s: s["color"] == "red",
    'color != "red"': lambda _, s: s["color"] != "red",
    'color in ["green", "blue"] and price < 20': lambda _, s: s["color"] in ("green", "blue") and s["price"] < 20,
    "id >= 100 and id < 200": lambda row, _: 100 <= row < 200,
    "id in [1, 5, 499, 100000]": lambda row, _: row in (1, 5, 499),
    "id not in [1, 5, 499]": lambda row, _: row not in (1, 5, 499),
    'price > 40 or (color == "blue" and weight <= 10.5)': lambda _, s: s["price"] > 40
    or (s["color"] == "blue" and s["weight"] <= 10.5),
    'not (color == "red") and sold == true': lambda _, s: s["color"] != "red" and s["sold"],
}


def equal(what, found, expected):
    assert found == expected, f"{what}: found {found!r}, expected {expected!r}"


def refused(what, call):
    try:
        answer = call()
    except MilvusException:
        return
    raise AssertionError(f"{what}: was not refused but answered {answer!r}")


def check_empty_collection(client, name, metric):
    client.create_collection(name, dimension=DIM, metric_type=metric, consistency_level="Strong")
    equal("has_collection", client.has_collection(name), True)
    assert name in client.list_collections(), f"list_collections: no {name}"
    described = client.describe_collection(name)
    equal("described name", described["collection_name"], name)
    equal("described dynamic field", described["enable_dynamic_field"], True)
    fields = {field["name"]: field for field in described["fields"]}
    equal("described fields", sorted(fields), ["id", "vector"])
    equal("described primary key", (fields["id"]["type"], fields["id"]["is_primary"]), (DataType.INT64, True))
    equal("described vector", (fields["vector"]["type"], fields["vector"]["params"]["dim"]), (DataType.FLOAT_VECTOR, DIM))
    equal("load state", str(client.get_load_state(name)["state"]), "Loaded")
    equal("indexes", client.list_indexes(name), ["vector"])
    equal("indexed metric", client.describe_index(name, "vector")["metric_type"], metric)
    equal("search of nothing", [list(hits) for hits in client.search(name, data=[[0.5] * DIM], limit=3)], [[]])


def check_insert(client, name, rows):
    answer = client.insert(name, rows.as_dicts())
    equal("inserted rows", answer["insert_count"], ROWS)
    equal("inserted ids", list(answer["ids"]), list(range(ROWS)))
    equal("counted rows", client.query(name, filter="", output_fields=["count(*)"])[0]["count(*)"], ROWS)
    refused("a vector of the wrong dimension", lambda: client.insert(name, [{"id": ROWS, "vector": [0.0] * (DIM + 1)}]))


def check_search(client, name, metric, rows, generator, **arguments):
    accepts = FILTERS[arguments["filter"]] if "filter" in arguments else lambda *_: True
    queries = generator.normal(size=(5, DIM)).astype(numpy.float32)
    answers = client.search(name, data=queries.tolist(), limit=TOP_K, output_fields=["color", "weight"], **arguments)
    equal("answered queries", len(answers), len(queries))
    for query, hits in zip(queries, answers):
        exact = rows.nearest(metric, query, rows.where(accepts))
        equal("hits", len(hits), min(TOP_K, len(exact)))
        for hit, distance in zip(hits, exact.values()):
            assert hit["id"] in exact, f"{metric} {arguments}: row {hit['id']} is deleted or filtered out"
            # By distance, not by id: two rows within the tolerance may change places.
            for found in (hit["distance"], exact[hit["id"]]):
                assert abs(found - distance) <= TOLERANCE * max(1.0, abs(distance)), (
                    f"{metric} {arguments}: row {hit['id']} at {found}, the exact distance of this rank is {distance}"
                )
            expected = {key: rows.scalars[hit["id"]][key] for key in ("color", "weight")}
            equal(f"fields of row {hit['id']}", {key: hit["entity"][key] for key in expected}, expected)


def check_query(client, name, rows):
    found = client.query(name, ids=[3, 7, 100_000], output_fields=["color", "price", "vector"])
    equal("query by id", {row["id"] for row in found}, rows.alive & {3, 7})
    for row in found:
        equal("queried scalars", (row["color"], row["price"]), tuple(rows.scalars[row["id"]][k] for k in ("color", "price")))
        assert numpy.allclose(row["vector"], rows.vectors[row["id"]], rtol=0, atol=0), "queried vector: not the one inserted"
    equal("get", [row["sold"] for row in client.get(name, ids=[5], output_fields=["sold"])], [rows.scalars[5]["sold"]])
    for text, accepts in FILTERS.items():
        found = client.query(name, filter=text, output_fields=["id"])
        equal(f"query {text}", {row["id"] for row in found}, rows.where(accepts))
    equal("limited query", len(client.query(name, filter="id >= 0", output_fields=["id"], limit=7)), 7)
    refused("a filter that is none", lambda: client.query(name, filter="id >>> 1", output_fields=["id"]))


def check_delete(client, name, rows):
    client.delete(name, ids=[0, 10, 20])
    rows.alive -= {0, 10, 20}
    client.delete(name, filter='color == "green" and price < 10')
    rows.alive -= rows.where(lambda _, s: s["color"] == "green" and s["price"] < 10)
    found = client.query(name, filter="id >= 0", output_fields=["id"])
    equal("rows after deleting", {row["id"] for row in found}, rows.alive)


def check_collection(client, metric):
    name = f"pymilvus_practice_{metric.lower()}"
    generator = numpy.random.default_rng(7)
    rows = Rows(generator)
    # What an interrupted run left behind.
    client.drop_collection(name)
    check_empty_collection(client, name, metric)
    check_insert(client, name, rows)
    for _ in range(2):
        check_search(client, name, metric, rows, generator)
        for text in FILTERS:
            check_search(client, name, metric, rows, generator, filter=text)
        check_query(client, name, rows)
        check_delete(client, name, rows)
    refused("a query vector of the wrong dimension", lambda: client.search(name, data=[[0.0] * (DIM - 1)], limit=3))
    client.drop_collection(name)
    equal("has_collection after dropping", client.has_collection(name), False)
    refused("a search in a dropped collection", lambda: client.search(name, data=[[0.0] * DIM], limit=3))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    # It prints every refusal as an error; those asked for here are right answers.
    logging.disable(logging.CRITICAL)
    client = MilvusClient(sys.argv[1])
    for metric in METRICS:
        began = time.monotonic()
        check_collection(client, metric)
        print(f"pymilvus: every {metric} answer is right ({time.monotonic() - began:.1f} s)")
    client.close()


main()
