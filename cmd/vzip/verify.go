package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"vzip/internal/generation"
	"vzip/layout"
)

func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify LAYOUT [ARCHIVE]",
		Short: "Read all sources again and compare them with the remembered CRC-32s",
		Long: "verify reads the source of every entry, or of one archive's, from the disk, and\n" +
			"compares each block with the CRC-32 that was remembered. What differs though size\n" +
			"and times are the same was damaged. Exit code 0: all are equal; 4: some are\n" +
			"different or can't be read; 1: some are not remembered, and so not compared.",
		Args:              layoutAndMaybeArchive,
		ValidArgsFunction: completeLayout(completeArchive),
		RunE: func(_ *cobra.Command, args []string) error {
			only := strings.Join(args[1:], "") // one at most
			return a.verify(args[0], only)
		},
	}
}

func (a *app) verify(file, only string) error {
	ctx, stop := untilSignal()
	defer stop()
	if a.noCache {
		return usageError("verify --no-cache has nothing to compare with: use --cache DIR, or neither")
	}
	l, err := a.load(ctx, file, defaultTimeout)
	if err != nil {
		return err
	}
	if only != "" {
		if err := findArchive(l, only); err != nil {
			return err
		}
	}
	var v generation.Verifier
	// A folder that is not there is not made for this.
	if dir, _ := a.cachePath(); dir != "" {
		if _, err := os.Stat(dir); err == nil {
			_, err = a.build(ctx, l, building{only: only, progress: &progress{app: a, did: "compared"}, how: func(ctx context.Context, l *layout.Layout, o generation.Options) (*generation.Generation, error) {
				return nil, v.Run(ctx, l, o)
			}})
			if err != nil {
				return errors.Join(a.tellBad(v.Result()), interrupted(err))
			}
			return a.tellVerified(v.Result())
		}
	}
	return errNothingRemembered
}

var errNothingRemembered = errors.New("nothing to compare: no CRC-32 is remembered: run vzip hash first")

// tellBad writes a line for each file that is different or can't be read.
func (a *app) tellBad(r generation.Verified) error {
	for _, err := range r.Different {
		if _, err := fmt.Fprintf(a.stdout, "different: %v\n", err); err != nil {
			return err
		}
	}
	for _, err := range r.Unreadable {
		if _, err := fmt.Fprintf(a.stdout, "can't be read: %v\n", err); err != nil {
			return err
		}
	}
	return nil
}

// tellVerified writes what was found, and returns what it comes to.
func (a *app) tellVerified(r generation.Verified) error {
	bad := len(r.Different) + len(r.Unreadable)
	if r.Equal == 0 && bad == 0 && r.Unknown > 0 {
		return errNothingRemembered
	}
	if err := a.tellBad(r); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(a.stdout, "equal: %d files, %d bytes\n", r.Equal, r.Bytes); err != nil {
		return err
	}
	var unknown, found error
	if r.Unknown > 0 {
		unknown = fmt.Errorf("%d files were not compared: they are not remembered, or were changed since then: run vzip hash, which reads them", r.Unknown)
	}
	if bad > 0 {
		found = &exitError{exitSource, fmt.Errorf("%d files are different, and %d can't be read", len(r.Different), len(r.Unreadable))}
	}
	return errors.Join(found, unknown)
}
