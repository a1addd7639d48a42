package main

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func init() {
	rows["span"] = row{1, span}
}

// discard is an exporter that encodes nothing: the figure is that of starting, ending and queueing alone.
type discard struct{}

func (discard) ExportSpans(context.Context, []sdk.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                        { return nil }

func span() func(int) {
	provider := sdk.NewTracerProvider(
		sdk.WithSampler(sdk.ParentBased(sdk.AlwaysSample())), sdk.WithBatcher(discard{}))
	tracer := provider.Tracer("bench")
	return func(times int) {
		background := context.Background()
		for i := 0; i < times; i++ {
			_, span := tracer.Start(background, "GET /orders/{id}", trace.WithSpanKind(trace.SpanKindServer))
			span.SetAttributes(
				attribute.String("http.request.method", "GET"),
				attribute.String("http.route", "/orders/{id}"),
				attribute.String("url.path", "/orders/12345"),
				attribute.Int("http.response.status_code", 200))
			span.End()
		}
	}
}
