"""The tutorial's traced Python client: pymilvus with OpenTelemetry's gRPC instrumentation, every request sampled.

    searches.py MILVUS_URI OTLP_ENDPOINT

Searches with consistency Strong beside inserts, as `milvus-client`: a handful of users who pause between their searches, so that
searches fall anywhere between Milvus's time ticks, and few enough inserts that Milvus waits for ticks and not for its CPU. Knows nothing of tailtrace. Prints how many searches it made.
"""

import random
import sys
import threading
import time

import numpy
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import GrpcInstrumentorClient
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

COLLECTION = "tailtrace_python_client"
DIM = 64
ROWS = 2_000
THREADS = 8
SEARCHES_A_THREAD = 50
SEARCH_PAUSE_S = 0.2
INSERT_PAUSE_S = 0.1


def trace_to(endpoint):
    provider = TracerProvider(resource=Resource.create({"service.name": "milvus-client"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True)))
    trace.set_tracer_provider(provider)
    # Before pymilvus makes its channel: the instrumentation wraps channels as they are made.
    GrpcInstrumentorClient().instrument()
    return provider


def insert_until(stop, client, generator):
    row = ROWS
    while not stop.is_set():
        client.insert(COLLECTION, [{"id": row + i, "vector": vector} for i, vector in enumerate(generator.normal(size=(20, DIM)).tolist())])
        row += 20
        stop.wait(INSERT_PAUSE_S)


def search(client, queries):
    for query in queries:
        client.search(COLLECTION, data=[query], limit=10, consistency_level="Strong")
        time.sleep(random.uniform(0, SEARCH_PAUSE_S))


def main():
    uri, endpoint = sys.argv[1:]
    provider = trace_to(endpoint)
    from pymilvus import MilvusClient

    generator = numpy.random.default_rng(7)
    client = MilvusClient(uri)
    client.drop_collection(COLLECTION)
    client.create_collection(COLLECTION, dimension=DIM, metric_type="L2")
    client.insert(COLLECTION, [{"id": row, "vector": vector} for row, vector in enumerate(generator.normal(size=(ROWS, DIM)).tolist())])
    stop = threading.Event()
    writer = threading.Thread(target=insert_until, args=(stop, client, numpy.random.default_rng(8)))
    readers = [
        threading.Thread(target=search, args=(client, generator.normal(size=(SEARCHES_A_THREAD, DIM)).tolist())) for _ in range(THREADS)
    ]
    writer.start()
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    stop.set()
    writer.join()
    client.drop_collection(COLLECTION)
    provider.shutdown()
    print(THREADS * SEARCHES_A_THREAD)


main()
