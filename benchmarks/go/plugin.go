// The plugin that host.go opens.
package main

// Magnitude is the same function as jt_magnitude in loops.h.
func Magnitude(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}

// Half is the same function as in ../native/plugin.c.
func Half(x float64) float64 { return 0.5 * x }

type meter struct{}

func (meter) Magnitude(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}

// New makes what the host calls by way of an interface.
func New() interface{ Magnitude(x float64) float64 } { return meter{} }

func main() {}
