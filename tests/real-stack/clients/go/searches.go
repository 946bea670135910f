// A traced Go client: Milvus's SDK with OpenTelemetry's gRPC instrumentation, every request sampled.
//
//	go run . MILVUS_HOST:PORT OTLP_HOST:PORT
//
// Searches with consistency Strong beside inserts, as `milvus-go-client`: a handful of users who pause between their searches,
// so that searches fall anywhere between Milvus's time ticks, and few enough inserts that Milvus waits for ticks and not for
// its CPU. Knows nothing of tailtrace. Prints how many searches it made.
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand"
	"os"
	"sync"
	"time"

	"github.com/milvus-io/milvus-sdk-go/v2/client"
	"github.com/milvus-io/milvus-sdk-go/v2/entity"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
)

const (
	collection      = "tailtrace_go_client"
	dim             = 64
	rows            = 2000
	readers         = 8
	searchesAReader = 50
	searchPause     = 200 * time.Millisecond
	insertPause     = 100 * time.Millisecond
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func vectors(count int) [][]float32 {
	made := make([][]float32, count)
	for at := range made {
		made[at] = make([]float32, dim)
		for d := range made[at] {
			made[at][d] = rand.Float32() - 0.5
		}
	}
	return made
}

func insert(ctx context.Context, milvus client.Client, count int) {
	_, err := milvus.Insert(ctx, collection, "", entity.NewColumnFloatVector("vector", dim, vectors(count)))
	must(err)
}

func search(ctx context.Context, milvus client.Client) {
	params, err := entity.NewIndexHNSWSearchParam(64)
	must(err)
	_, err = milvus.Search(ctx, collection, nil, "", []string{"id"}, []entity.Vector{entity.FloatVector(vectors(1)[0])}, "vector",
		entity.L2, 10, params, client.WithSearchQueryConsistencyLevel(entity.ClStrong))
	must(err)
}

func main() {
	ctx := context.Background()
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(os.Args[2]), otlptracegrpc.WithInsecure())
	must(err)
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "milvus-go-client"))))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	milvus, err := client.NewClient(ctx, client.Config{Address: os.Args[1],
		DialOptions: append(append([]grpc.DialOption{}, client.DefaultGrpcOpts...), grpc.WithStatsHandler(otelgrpc.NewClientHandler()))})
	must(err)
	_ = milvus.DropCollection(ctx, collection)
	schema := entity.NewSchema().WithName(collection).
		WithField(entity.NewField().WithName("id").WithDataType(entity.FieldTypeInt64).WithIsPrimaryKey(true).WithIsAutoID(true)).
		WithField(entity.NewField().WithName("vector").WithDataType(entity.FieldTypeFloatVector).WithDim(dim))
	must(milvus.CreateCollection(ctx, schema, 1))
	insert(ctx, milvus, rows)
	index, err := entity.NewIndexHNSW(entity.L2, 16, 200)
	must(err)
	must(milvus.CreateIndex(ctx, collection, "vector", index, false))
	must(milvus.LoadCollection(ctx, collection, false))

	var users, writer sync.WaitGroup
	done := make(chan struct{})
	writer.Add(1)
	go func() {
		defer writer.Done()
		for {
			select {
			case <-done:
				return
			case <-time.After(insertPause):
				insert(ctx, milvus, 20)
			}
		}
	}()
	for range readers {
		users.Add(1)
		go func() {
			defer users.Done()
			for range searchesAReader {
				search(ctx, milvus)
				time.Sleep(time.Duration(rand.Float64() * float64(searchPause)))
			}
		}()
	}
	users.Wait()
	close(done)
	writer.Wait()
	must(milvus.DropCollection(ctx, collection))
	must(milvus.Close())
	must(provider.Shutdown(ctx))
	fmt.Println(readers * searchesAReader)
}
