// Package uploads has tests alone: archives of a mount that the tools people use
// upload to the servers they use, and what that takes of the daemon's memory.
//
// Servers are real ones, on this machine. What these tools make of faults is the
// matter of internal/clients.
package uploads
