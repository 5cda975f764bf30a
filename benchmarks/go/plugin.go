// The plugin that host.go opens.
package main

// Half is the same function as in ../native/plugin.c.
func Half(x float64) float64 { return 0.5 * x }

type halver struct{}

func (halver) Half(x float64) float64 { return 0.5 * x }

// New makes what the host calls by way of an interface.
func New() interface{ Half(x float64) float64 } { return halver{} }

func main() {}
