package main

// Declared in embedded_go.c: cgo allows no definitions next to exports.

import "C"

//export apply
func apply(x C.double) C.double { return 2 * x }

func main() {}
