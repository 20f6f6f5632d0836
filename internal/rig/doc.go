// Package rig holds vzip to its promise from outside: every byte that it returns
// belongs to one generation of an archive, or the read fails. vzip is a program
// here, started by its command line, and is read through its mounts.
//
//   - [Oracle] is the archive of a frozen tree, as a file, checked by other
//     people's readers before it counts.
//   - [Reader] reads a mounted archive at random places, by every system call
//     that gives a file's bytes; [Judge] compares what comes with the oracle.
//   - [Mutator] changes sources in every way that a file can change, and keeps
//     in a [Ledger] which files an error may be blamed on.
//   - [Place] is a file system of a kind to do all this on.
//
// What happens by chance comes from a seed, which each report names.
package rig
