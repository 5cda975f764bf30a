// A Go host, for comparison: answers each line "direct COUNT" or "plugin COUNT" with the
// nanoseconds that so many calls took, until its input ends. Its argument is the plugin.
package main

import (
	"bufio"
	"fmt"
	"os"
	"plugin"
	"time"
)

//go:noinline
func half(x float64) float64 { return 0.5 * x }

var last float64

func direct(count int, x float64) time.Duration {
	y := 0.0
	start := time.Now()
	for ; count > 0; count-- {
		y = half(x)
	}
	taken := time.Since(start)
	last = y
	return taken
}

func cached(f func(float64) float64, count int, x float64) time.Duration {
	y := 0.0
	start := time.Now()
	for ; count > 0; count-- {
		y = f(x)
	}
	taken := time.Since(start)
	last = y
	return taken
}

func main() {
	opened, err := plugin.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	symbol, err := opened.Lookup("Half")
	if err != nil {
		panic(err)
	}
	function := symbol.(func(float64) float64)
	if function(3) != 1.5 {
		panic("the plugin's function gives another result")
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var how string
		var count int
		if _, err := fmt.Sscan(lines.Text(), &how, &count); err != nil {
			panic(err)
		}
		if how == "direct" {
			fmt.Println(direct(count, 1.5).Nanoseconds())
		} else {
			fmt.Println(cached(function, count, 1.5).Nanoseconds())
		}
	}
}
