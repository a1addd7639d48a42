package main

import (
	"bytes"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

var (
	routes   = []string{"/orders", "/orders/{id}", "/products", "/products/{id}"}
	statuses = []string{"200", "201", "404", "500"}
	values   = make([]float64, 64)
)

func init() {
	for i := range values {
		values[i] = 0.001 * float64(1+i%8)
		if i%16 == 0 {
			values[i] *= 1000
		}
	}
	rows["counter"] = row{1, cachedCounter}
	rows["counter-two-threads"] = row{2, cachedCounter}
	rows["histogram"] = row{1, func() func(int) { return histogram(0) }}
	rows["histogram-native"] = row{1, func() func(int) { return histogram(nativeFactor) }}
	rows["lookup"] = row{1, lookup}
	rows["scrape"] = row{1, func() func(int) { return scrape(expfmt.FmtText, 0) }}
	rows["scrape-openmetrics"] = row{1, func() func(int) { return scrape(expfmt.FmtOpenMetrics, 0) }}
	rows["scrape-native"] = row{1, func() func(int) { return scrape(expfmt.FmtProtoDelim, nativeFactor) }}
}

func counters(name string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(
		prometheus.CounterOpts{Name: name, Help: "Requests."}, []string{"method", "route", "status"})
}

// A bucket is at most a tenth wider than the one before: schema 3, as ours for the same values.
const nativeFactor = 1.1

// A factor of zero is no native form.
func histograms(buckets []float64, factor float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(
		prometheus.HistogramOpts{
			Name: "http_request_duration_seconds", Help: "Duration.", Buckets: buckets,
			NativeHistogramBucketFactor: factor, NativeHistogramMaxBucketNumber: 160,
		},
		[]string{"method", "route"})
}

var durationBuckets = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

func cachedCounter() func(int) {
	series := counters("http_requests_total").WithLabelValues("GET", "/orders/{id}", "200")
	return func(times int) {
		for i := 0; i < times; i++ {
			series.Inc()
		}
	}
}

func histogram(factor float64) func(int) {
	series := histograms(durationBuckets, factor).WithLabelValues("GET", "/orders/{id}")
	return func(times int) {
		for i := 0; i < times; i++ {
			series.Observe(values[i&(len(values)-1)])
		}
	}
}

func lookup() func(int) {
	family := counters("http_requests_total")
	return func(times int) {
		for i := 0; i < times; i++ {
			family.WithLabelValues("GET", routes[i&3], statuses[i>>2&3]).Inc()
		}
	}
}

func scrape(format expfmt.Format, factor float64) func(int) {
	registry := prometheus.NewRegistry()
	for f := 0; f < 7; f++ {
		family := counters(fmt.Sprintf("bench_%d_total", f))
		registry.MustRegister(family)
		for i := 0; i < 1000; i++ {
			family.WithLabelValues("GET", fmt.Sprintf("/path/%d", i/4), statuses[i&3]).Add(float64(i) * 12345)
		}
	}
	durations := histograms(durationBuckets[:12], factor)
	registry.MustRegister(durations)
	for i := 0; i < 200; i++ {
		series := durations.WithLabelValues("GET", fmt.Sprintf("/path/%d", i))
		for _, value := range values {
			series.Observe(value)
		}
	}
	var body bytes.Buffer
	return func(times int) {
		for i := 0; i < times; i++ {
			body.Reset()
			families, err := registry.Gather()
			if err != nil {
				panic(err)
			}
			encoder := expfmt.NewEncoder(&body, format)
			for _, family := range families {
				if err := encoder.Encode(family); err != nil {
					panic(err)
				}
			}
			if body.Len() < 100000 {
				panic("too little was written")
			}
		}
	}
}
