package rig

import (
	"runtime/debug"
)

// Touching runs f, which touches mapped memory, and returns ErrBus where the
// kernel can't give it a page.
func Touching(f func()) (err error) {
	old := debug.SetPanicOnFault(true) // of this goroutine
	defer debug.SetPanicOnFault(old)
	defer func() {
		switch fault := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }:
			err = ErrBus
		default:
			panic(fault)
		}
	}()
	f()
	return nil
}
