import io.milvus.client.MilvusServiceClient;
import io.milvus.common.clientenum.ConsistencyLevelEnum;
import io.milvus.grpc.DataType;
import io.milvus.param.ConnectParam;
import io.milvus.param.IndexType;
import io.milvus.param.MetricType;
import io.milvus.param.R;
import io.milvus.param.collection.CreateCollectionParam;
import io.milvus.param.collection.DropCollectionParam;
import io.milvus.param.collection.FieldType;
import io.milvus.param.collection.LoadCollectionParam;
import io.milvus.param.dml.InsertParam;
import io.milvus.param.dml.SearchParam;
import io.milvus.param.index.CreateIndexParam;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.IntStream;

/**
 * A Java client: Milvus's SDK; OpenTelemetry's Java agent traces its gRPC calls.
 *
 * <p>Searches with consistency Strong beside inserts: a handful of users who pause between their searches, so that searches fall
 * anywhere between Milvus's time ticks, and few enough inserts that Milvus waits for ticks and not for its CPU. Knows nothing of
 * tailtrace. Takes the host and the port of the Milvus, prints how many searches it made.
 */
public final class Searches {
    private static final String COLLECTION = "tailtrace_java_client";
    private static final int DIM = 64;
    private static final int ROWS = 2000;
    private static final int READERS = 8;
    private static final int SEARCHES_A_READER = 50;
    private static final int SEARCH_PAUSE_MS = 200;
    private static final int INSERT_PAUSE_MS = 100;

    private static volatile boolean searching = true;

    private static List<Float> vector() {
        return IntStream.range(0, DIM).mapToObj(at -> ThreadLocalRandom.current().nextFloat() - 0.5f).toList();
    }

    private static <T> T must(R<T> answer) {
        if (answer.getStatus() != R.Status.Success.getCode()) {
            throw new IllegalStateException(answer.getMessage());
        }
        return answer.getData();
    }

    private static void insert(MilvusServiceClient milvus, int count) {
        List<List<Float>> vectors = IntStream.range(0, count).mapToObj(at -> vector()).toList();
        must(milvus.insert(InsertParam.newBuilder().withCollectionName(COLLECTION)
                .withFields(List.of(new InsertParam.Field("vector", vectors))).build()));
    }

    private static void read(MilvusServiceClient milvus) {
        try {
            for (int made = 0; made < SEARCHES_A_READER; made++) {
                must(milvus.search(SearchParam.newBuilder().withCollectionName(COLLECTION)
                        .withConsistencyLevel(ConsistencyLevelEnum.STRONG).withMetricType(MetricType.L2).withTopK(10)
                        .withVectors(List.of(vector())).withVectorFieldName("vector").withParams("{\"ef\":64}").build()));
                Thread.sleep(ThreadLocalRandom.current().nextInt(SEARCH_PAUSE_MS));
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    private static void write(MilvusServiceClient milvus) {
        try {
            while (searching) {
                insert(milvus, 20);
                Thread.sleep(INSERT_PAUSE_MS);
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    public static void main(String[] arguments) throws InterruptedException {
        MilvusServiceClient milvus = new MilvusServiceClient(
                ConnectParam.newBuilder().withHost(arguments[0]).withPort(Integer.parseInt(arguments[1])).build());
        milvus.dropCollection(DropCollectionParam.newBuilder().withCollectionName(COLLECTION).build());
        must(milvus.createCollection(CreateCollectionParam.newBuilder().withCollectionName(COLLECTION)
                .addFieldType(FieldType.newBuilder().withName("id").withDataType(DataType.Int64).withPrimaryKey(true)
                        .withAutoID(true).build())
                .addFieldType(FieldType.newBuilder().withName("vector").withDataType(DataType.FloatVector).withDimension(DIM)
                        .build())
                .build()));
        insert(milvus, ROWS);
        must(milvus.createIndex(CreateIndexParam.newBuilder().withCollectionName(COLLECTION).withFieldName("vector")
                .withIndexType(IndexType.HNSW).withMetricType(MetricType.L2).withExtraParam("{\"M\":16,\"efConstruction\":200}")
                .withSyncMode(true).build()));
        must(milvus.loadCollection(LoadCollectionParam.newBuilder().withCollectionName(COLLECTION).build()));
        Thread writer = new Thread(() -> write(milvus));
        List<Thread> readers = IntStream.range(0, READERS).mapToObj(at -> new Thread(() -> read(milvus))).toList();
        writer.start();
        readers.forEach(Thread::start);
        for (Thread reader : readers) {
            reader.join();
        }
        searching = false;
        writer.join();
        must(milvus.dropCollection(DropCollectionParam.newBuilder().withCollectionName(COLLECTION).build()));
        milvus.close();
        System.out.println(READERS * SEARCHES_A_READER);
    }
}
