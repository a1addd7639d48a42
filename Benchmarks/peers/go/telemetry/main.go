// Measures single operations of Go's telemetry libraries, as Debian packages them: the peer of telemetry-bench.
//
//	go-telemetry counter --milliseconds 500     prints nanoseconds of CPU time an operation
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// row is one operation: prepare makes what it needs and returns a function that does it so many times, called from each
// of the threads. Files of this folder add theirs to rows in init.
type row struct {
	threads int
	prepare func() func(times int)
}

var rows = map[string]row{}

func cpuNanoseconds() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func run(body func(int), threads, times int) int64 {
	start := time.Now()
	var group sync.WaitGroup
	for i := 0; i < threads; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			body(times)
		}()
	}
	group.Wait()
	return time.Since(start).Nanoseconds()
}

func main() {
	if len(os.Args) != 4 || os.Args[2] != "--milliseconds" {
		fmt.Fprintln(os.Stderr, "usage: go-telemetry ROW --milliseconds N")
		os.Exit(2)
	}
	row, known := rows[os.Args[1]]
	milliseconds, err := strconv.ParseInt(os.Args[3], 10, 32)
	if !known || err != nil || milliseconds < 1 {
		fmt.Fprintln(os.Stderr, "go-telemetry: no such row, or not a number of milliseconds")
		os.Exit(2)
	}
	body := row.prepare()
	times := 1
	elapsed := run(body, row.threads, times)
	for elapsed < milliseconds*1e6 {
		wanted := float64(milliseconds) * 1e6 / float64(elapsed+1) * float64(times) * 1.05
		next := int(wanted)
		if next > times*100 {
			next = times * 100
		}
		if next <= times {
			next = times + 1
		}
		times = next
		elapsed = run(body, row.threads, times)
	}
	before := cpuNanoseconds()
	run(body, row.threads, times)
	fmt.Println(float64(cpuNanoseconds()-before) / float64(times*row.threads))
}
