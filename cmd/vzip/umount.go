package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"vzip/vfs"
)

func (a *app) umountCommand() *cobra.Command {
	var lazy bool
	cmd := &cobra.Command{
		Use:   "umount MOUNTPOINT",
		Short: "Unmount what vzip mount shows at MOUNTPOINT",
		Args:  exactArgs("MOUNTPOINT"),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := mountedPath(args[0])
			if err != nil {
				return err
			}
			mounted, err := vfs.IsMounted(dir)
			if err != nil {
				return err
			}
			if !mounted {
				return fmt.Errorf("%s: vzip has nothing mounted there", dir)
			}
			err = vfs.Unmount(dir, lazy)
			if errors.Is(err, unix.EBUSY) {
				return fmt.Errorf("%s is in use by %s: wait until that ends, or use --lazy", dir, holders(dir))
			}
			if err != nil {
				return fmt.Errorf("unmounting %s: %w", dir, err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&lazy, "lazy", false, "take the mount out of sight now, and end it when its last file is closed")
	return cmd
}

// mountedPath returns the absolute path of a mountpoint without links. The
// mountpoint itself is not touched where it need not be: its program may be dead.
func mountedPath(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real, nil
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	return filepath.Join(parent, filepath.Base(abs)), err
}
