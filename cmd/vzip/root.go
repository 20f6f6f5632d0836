package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"vzip/internal/generation"
	"vzip/internal/snapshot"
	"vzip/layout"
)

// Exit codes. They are a contract.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitLayout  = 3
	exitSource  = 4
	exitMount   = 5
)

// exitError is an error with an exit code of its own. Without an error the
// message has been given already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return fmt.Sprint(e.err) }
func (e *exitError) Unwrap() error { return e.err }

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

func mountError(err error) error { return &exitError{exitMount, err} }

// exitCode returns the exit code that an error means.
func exitCode(err error) int {
	var coded *exitError
	var problems *layout.Problems
	var sources generation.SourceErrors
	var unread *generation.SourceError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &problems) && !problems.SourcesOnly():
		return exitLayout
	case problems != nil, errors.As(err, &sources), errors.As(err, &unread):
		return exitSource
	}
	return exitFailure
}

// app is one run of the program.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	log            *slog.Logger
	handler        swapHandler // of log

	reserve   []*os.File // descriptors for the end of a mount
	snapshots snapshot.Keeper

	cacheDir  string
	noCache   bool
	jobs      int
	logLevel  string
	logFormat string
	quiet     bool
	verbose   bool
}

// run runs the program and returns its exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	a.handler.swap(newTextHandler(stderr, slog.LevelInfo)) // until the flags are read
	a.log = slog.New(&a.handler)
	a.snapshots.Warn = func(text string) { a.warn(text) }
	defer a.snapshots.Close()
	root := a.rootCommand()
	words, err := helperArgs(root, args)
	if err == nil {
		root.SetArgs(words)
		err = a.execute(root)
	}
	var coded *exitError
	if err != nil && !(errors.As(err, &coded) && coded.err == nil) {
		a.log.Error(err.Error())
	}
	return exitCode(err)
}

// execute runs a command. What cobra itself refuses is wrong usage.
func (a *app) execute(root *cobra.Command) error {
	started := false
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if err := a.setUp(); err != nil {
			return err
		}
		started = true
		return nil
	}
	err := root.ExecuteContext(context.Background())
	if err != nil && !started {
		_ = a.setUp() // the error takes the form that was asked for, if that was read
	}
	if err != nil && !started && exitCode(err) == exitFailure {
		return usageError("%w (vzip help shows the commands, vzip COMMAND --help its flags)", err)
	}
	return err
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "vzip",
		Short:         "Shows folders as ZIP files, without writing them",
		Long:          "vzip reads a layout (YAML: source folders, and the names they get inside each\narchive) and shows every archive as a ZIP file that takes no room: its bytes are\nmade when they are read.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(a.stderr)
			_ = cmd.Help()
			return &exitError{code: exitUsage}
		},
	}
	root.Version = versionText()
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	flags := root.PersistentFlags()
	flags.StringVar(&a.cacheDir, "cache", "", "folder that remembers CRC-32s between runs (default $XDG_CACHE_HOME/vzip)")
	flags.BoolVar(&a.noCache, "no-cache", false, "remember nothing, and read every file")
	flags.IntVar(&a.jobs, "jobs", runtime.GOMAXPROCS(0), "how many parts of files are read at once to work out CRC-32s (default the number of cores)")
	flags.Lookup("jobs").DefValue = "0" // help and man pages are the same on every machine
	flags.StringVar(&a.logLevel, "log-level", "info", "least important messages shown: debug, info, warn or error")
	flags.StringVar(&a.logFormat, "log-format", "text", "form of messages: text or json")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "show all messages, as --log-level debug does")
	flags.BoolVar(&a.quiet, "quiet", false, "show no progress, and only warnings and errors")
	for _, c := range []*cobra.Command{
		a.mountCommand(), a.serveCommand(), a.umountCommand(), a.reloadCommand(), a.statusCommand(), a.execCommand(), a.checkCommand(), a.listCommand(),
		a.hashCommand(), a.catCommand(), a.writeCommand(), a.verifyCommand(), a.versionCommand(), a.manCommand(),
	} {
		root.AddCommand(c)
	}
	return root
}

// setUp checks the common flags and makes the logger they ask for.
func (a *app) setUp() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return usageError("--log-level %q is not known: use debug, info, warn or error", a.logLevel)
	}
	switch {
	case a.quiet && a.verbose:
		return usageError("--quiet and --verbose contradict each other: use one of them")
	case a.verbose:
		a.logLevel, level = "debug", slog.LevelDebug // also of a daemon's log
	case a.quiet:
		level = max(level, slog.LevelWarn)
	}
	handler, err := newHandler(a.logFormat, a.stderr, level)
	if err != nil {
		return err
	}
	a.handler.swap(handler)
	switch {
	case a.jobs < 1:
		return usageError("--jobs %d makes no sense: use 1 or more", a.jobs)
	case a.jobs > 1024:
		return usageError("--jobs %d is too much: use at most 1024", a.jobs)
	case a.noCache && a.cacheDir != "":
		return usageError("--cache and --no-cache contradict each other: use one of them")
	}
	if a.cacheDir != "" { // a daemon leaves the folder that it was started in
		if a.cacheDir, err = filepath.Abs(a.cacheDir); err != nil {
			return err
		}
	}
	return nil
}

// exactArgs is cobra.ExactArgs with a message that names what is missing.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usageError("%s: %s is missing: vzip %s", cmd.Name(), names[len(args)], cmd.Use)
		}
		if len(args) > len(names) {
			return usageError("%s: unexpected argument %q: vzip %s", cmd.Name(), args[len(names)], cmd.Use)
		}
		return nil
	}
}

// layoutAndMaybeArchive takes a layout, and perhaps one of its archives.
func layoutAndMaybeArchive(cmd *cobra.Command, args []string) error {
	if len(args) == 2 {
		return nil
	}
	return exactArgs("LAYOUT")(cmd, args)
}

// completeLayout completes a layout file as first argument, and whatever then
// gives for the second.
func completeLayout(then func(layout string) ([]string, cobra.ShellCompDirective)) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		switch {
		case len(args) == 0:
			return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
		case len(args) == 1 && then != nil:
			return then(args[0])
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeArchive completes the name of an archive of a layout.
func completeArchive(file string) (names []string, _ cobra.ShellCompDirective) {
	if l, err := layout.Load(file, os.LookupEnv); err == nil {
		for _, a := range l.Archives {
			names = append(names, a.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
