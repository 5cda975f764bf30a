// The plugin that host.go opens.
package main

// Half is the same function as in ../plugin.c.
func Half(x float64) float64 { return 0.5 * x }

func main() {}
