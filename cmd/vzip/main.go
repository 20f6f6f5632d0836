// Command vzip shows folders as ZIP files that do not exist.
package main

import (
	"os"
	"runtime"
)

// init keeps the process's first thread out of system calls on sources. The kernel
// may hand a signal to that thread alone, and one that hangs never takes it.
func init() { runtime.LockOSThread() }

func main() {
	os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
}
