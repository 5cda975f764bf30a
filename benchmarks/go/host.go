// A Go host, for comparison. Its arguments are the plugin and a program that does nothing. It prints
// "ready" once every way to call gave the right result, and then answers each line "WAY COUNT" with
// the nanoseconds that so many calls took, until its input ends.
//
// As in C (loops.h) the argument of each call is the result of the one before, and the cheapest
// calls are unrolled ten times, so that next to nothing is left of the loop. What begins with
// "half" repeats one call with one argument instead, in a plain loop, as ../native/host.c does.
//
// With the argument "first" before the plugin it opens that and prints how long that took.
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

type meter = interface{ Magnitude(x float64) float64 }
type unary = func(x float64) float64

// Each calls so often, and gives the last result.
type way func(count int, x float64) float64

//go:noinline
func magnitude(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}

//go:noinline
func half(x float64) float64 { return 0.5 * x }

//go:noinline
func direct(count int, x float64) float64 {
	for ; count >= 10; count -= 10 {
		x = magnitude(magnitude(magnitude(magnitude(magnitude(x)))))
		x = magnitude(magnitude(magnitude(magnitude(magnitude(x)))))
	}
	for ; count > 0; count-- {
		x = magnitude(x)
	}
	return x
}

// The function is a parameter, so that no compiler knows which it is.
//
//go:noinline
func cached(f unary, count int, x float64) float64 {
	for ; count >= 10; count -= 10 {
		x = f(f(f(f(f(f(f(f(f(f(x))))))))))
	}
	for ; count > 0; count-- {
		x = f(x)
	}
	return x
}

//go:noinline
func method(m meter, count int, x float64) float64 {
	for ; count >= 10; count -= 10 {
		x = m.Magnitude(m.Magnitude(m.Magnitude(m.Magnitude(m.Magnitude(x)))))
		x = m.Magnitude(m.Magnitude(m.Magnitude(m.Magnitude(m.Magnitude(x)))))
	}
	for ; count > 0; count-- {
		x = m.Magnitude(x)
	}
	return x
}

func lookup(p *plugin.Plugin, count int, x float64) float64 {
	for ; count > 0; count-- {
		symbol, err := p.Lookup("Magnitude")
		check(err)
		x = symbol.(unary)(x)
	}
	return x
}

func open(path string, p *plugin.Plugin, count int) {
	for ; count > 0; count-- {
		opened, err := plugin.Open(path)
		check(err)
		if opened != p {
			panic("an open plugin was opened again")
		}
	}
}

func reflected(f reflect.Value, count int, x float64) float64 {
	for ; count > 0; count-- {
		x = f.Call([]reflect.Value{reflect.ValueOf(x)})[0].Float()
	}
	return x
}

//go:noinline
func halfDirect(count int, x float64) (y float64) {
	for ; count > 0; count-- {
		y = half(x)
	}
	return y
}

//go:noinline
func halfCached(f unary, count int, x float64) (y float64) {
	for ; count > 0; count-- {
		y = f(x)
	}
	return y
}

func execute(program string, count int) {
	for ; count > 0; count-- {
		check(exec.Command(program).Run())
	}
}

// A process opens a plugin for the first time only once.
func opening(path string) {
	start := time.Now()
	_, err := plugin.Open(path)
	taken := time.Since(start)
	check(err)
	fmt.Println(taken.Nanoseconds())
}

func first(host, path string, count int) (total int64) {
	for ; count > 0; count-- {
		output, err := exec.Command(host, "first", path).Output()
		check(err)
		var taken int64
		_, err = fmt.Sscan(string(output), &taken)
		check(err)
		total += taken
	}
	return total
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	if os.Args[1] == "first" {
		opening(os.Args[2])
		return
	}
	path, program := os.Args[1], os.Args[2]
	opened, err := plugin.Open(path)
	check(err)
	symbol := func(name string) interface{} {
		found, err := opened.Lookup(name)
		check(err)
		return found
	}
	function := symbol("Magnitude").(unary)
	other := symbol("Half").(unary)
	object := symbol("New").(func() meter)()
	value := reflect.ValueOf(function)

	ways := map[string]way{
		"direct":      direct,
		"cached":      func(count int, x float64) float64 { return cached(function, count, x) },
		"interface":   func(count int, x float64) float64 { return method(object, count, x) },
		"lookup":      func(count int, x float64) float64 { return lookup(opened, count, x) },
		"reflect":     func(count int, x float64) float64 { return reflected(value, count, x) },
		"half-direct": halfDirect,
		"half-cached": func(count int, x float64) float64 { return halfCached(other, count, x) },
	}
	others := map[string]func(count int){
		"open": func(count int) { open(path, opened, count) },
		"exec": func(count int) { execute(program, count) },
	}
	for name, call := range ways {
		wanted := 1.5
		if name[:4] == "half" {
			wanted = -0.75
		}
		for _, count := range []int{12, 1} {
			if found := call(count, -1.5); found != wanted {
				panic(fmt.Sprint(name, " gave ", found, ", expected ", wanted))
			}
		}
	}
	fmt.Println("ready")

	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var name string
		var count int
		_, err := fmt.Sscan(lines.Text(), &name, &count)
		check(err)
		if name == "first" {
			fmt.Println(first(os.Args[0], path, count))
			continue
		}
		start := time.Now()
		if run, other := others[name]; other {
			run(count)
		} else {
			ways[name](count, 1.5)
		}
		fmt.Println(time.Since(start).Nanoseconds())
	}
}
