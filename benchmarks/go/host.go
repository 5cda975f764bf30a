// A Go host, for comparison. Its argument is the plugin. It prints "ready" once every way to call
// gave the right result, and then answers each line "WAY COUNT" with the nanoseconds that so many
// calls took, until its input ends.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"plugin"
	"reflect"
	"time"
)

type halver = interface{ Half(x float64) float64 }

// Each calls so often, and gives the last result.
type way func(count int, x float64) float64

//go:noinline
func half(x float64) float64 { return 0.5 * x }

func direct(count int, x float64) (y float64) {
	for ; count > 0; count-- {
		y = half(x)
	}
	return y
}

// The function is a parameter, so that no compiler knows which it is.
//
//go:noinline
func cached(f func(float64) float64, count int, x float64) (y float64) {
	for ; count > 0; count-- {
		y = f(x)
	}
	return y
}

//go:noinline
func method(object halver, count int, x float64) (y float64) {
	for ; count > 0; count-- {
		y = object.Half(x)
	}
	return y
}

func lookup(p *plugin.Plugin, count int, x float64) (y float64) {
	for ; count > 0; count-- {
		symbol, err := p.Lookup("Half")
		check(err)
		y = symbol.(func(float64) float64)(x)
	}
	return y
}

func open(path string, p *plugin.Plugin, count int, x float64) float64 {
	for ; count > 0; count-- {
		opened, err := plugin.Open(path)
		check(err)
		if opened != p {
			panic("an open plugin was opened again")
		}
	}
	return 0.5 * x
}

func reflected(f reflect.Value, count int, x float64) (y float64) {
	for ; count > 0; count-- {
		y = f.Call([]reflect.Value{reflect.ValueOf(x)})[0].Float()
	}
	return y
}

func execute(count int, x float64) float64 {
	for ; count > 0; count-- {
		check(exec.Command("true").Run())
	}
	return 0.5 * x
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	path := os.Args[1]
	opened, err := plugin.Open(path)
	check(err)
	symbol, err := opened.Lookup("Half")
	check(err)
	function := symbol.(func(float64) float64)
	symbol, err = opened.Lookup("New")
	check(err)
	object := symbol.(func() halver)()
	value := reflect.ValueOf(function)

	ways := map[string]way{
		"direct":    direct,
		"cached":    func(count int, x float64) float64 { return cached(function, count, x) },
		"interface": func(count int, x float64) float64 { return method(object, count, x) },
		"lookup":    func(count int, x float64) float64 { return lookup(opened, count, x) },
		"open":      func(count int, x float64) float64 { return open(path, opened, count, x) },
		"reflect":   func(count int, x float64) float64 { return reflected(value, count, x) },
		"exec":      execute,
	}
	for name, call := range ways {
		if call(1, 3) != 1.5 {
			panic("another result than half: " + name)
		}
	}
	fmt.Println("ready")

	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var name string
		var count int
		_, err := fmt.Sscan(lines.Text(), &name, &count)
		check(err)
		start := time.Now()
		y := ways[name](count, 1.5)
		taken := time.Since(start)
		if count > 0 && y != 0.75 {
			panic("another result than half: " + name)
		}
		fmt.Println(taken.Nanoseconds())
	}
}
