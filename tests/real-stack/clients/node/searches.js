// A traced Node client: Milvus's SDK with OpenTelemetry's gRPC instrumentation, every request sampled.
//
//     node searches.js MILVUS_HOST:PORT OTLP_ENDPOINT
//
// Searches with consistency Strong beside inserts, as `milvus-node-client`: a handful of users who pause between their searches,
// so that searches fall anywhere between Milvus's time ticks, and few enough inserts that Milvus waits for ticks and not for
// its CPU. Knows nothing of tailtrace. Prints how many searches it made.
'use strict';

const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-grpc');
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { GrpcInstrumentation } = require('@opentelemetry/instrumentation-grpc');
const { Resource } = require('@opentelemetry/resources');
const { BatchSpanProcessor, NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');

const COLLECTION = 'tailtrace_node_client';
const DIM = 64;
const ROWS = 2000;
const READERS = 8;
const SEARCHES_A_READER = 50;
const SEARCH_PAUSE_MS = 200;
const INSERT_PAUSE_MS = 100;

const [address, endpoint] = process.argv.slice(2);
const provider = new NodeTracerProvider({
  resource: new Resource({ 'service.name': 'milvus-node-client' }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: endpoint }))],
});
provider.register();
// Before the SDK loads gRPC: the instrumentation wraps the module as it is loaded.
registerInstrumentations({ instrumentations: [new GrpcInstrumentation()] });
const { ConsistencyLevelEnum, DataType, MilvusClient } = require('@zilliz/milvus2-sdk-node');

const vector = () => Array.from({ length: DIM }, () => Math.random() - 0.5);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const rows = (count) => Array.from({ length: count }, () => ({ vector: vector() }));

async function main() {
  const client = new MilvusClient({ address });
  await client.connectPromise;
  await client.dropCollection({ collection_name: COLLECTION });
  await client.createCollection({
    collection_name: COLLECTION,
    fields: [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true, autoID: true },
      { name: 'vector', data_type: DataType.FloatVector, dim: DIM },
    ],
  });
  await client.insert({ collection_name: COLLECTION, data: rows(ROWS) });
  await client.createIndex({ collection_name: COLLECTION, field_name: 'vector', index_type: 'HNSW', metric_type: 'L2', params: { M: 16, efConstruction: 200 } });
  await client.loadCollectionSync({ collection_name: COLLECTION });
  let searching = true;
  const writer = (async () => {
    while (searching) {
      await client.insert({ collection_name: COLLECTION, data: rows(20) });
      await pause(INSERT_PAUSE_MS);
    }
  })();
  const reader = async () => {
    for (let made = 0; made < SEARCHES_A_READER; made += 1) {
      const found = await client.search({
        collection_name: COLLECTION, data: vector(), limit: 10, consistency_level: ConsistencyLevelEnum.Strong,
      });
      if (found.status.code !== 0) throw new Error(`a search failed: ${found.status.reason}`);
      await pause(Math.random() * SEARCH_PAUSE_MS);
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  searching = false;
  await writer;
  await client.dropCollection({ collection_name: COLLECTION });
  await client.closeConnection();
  await provider.shutdown();
  console.log(READERS * SEARCHES_A_READER);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
