package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vzip/vfs"
)

// Mount options that change nothing here: they are for mount(8) itself, ask for
// what is always so (ro, nosuid, nodev), or are added by mount.fuse(8) unasked
// (rw, suid, dev).
var ignoredOptions = []string{
	"ro", "rw", "defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group", "nofail", "_netdev",
	"suid", "nosuid", "dev", "nodev", "async", "sync", "dirsync", "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime",
	"strictatime", "nostrictatime", "lazytime", "nolazytime", "nonempty",
}

// mountOptions reads --allow-other and -o. What -o calls by the name of a long
// flag is that flag, so that fstab can say it all.
func (a *app) mountOptions(cmd *cobra.Command, f *mountFlags) (vfs.Options, error) {
	var o vfs.Options
	for _, list := range f.options {
		for _, option := range splitOptions(list) {
			if err := setOption(&o, cmd.Flags(), option); err != nil {
				return o, err
			}
		}
	}
	o.AllowOther = o.AllowOther || f.allowOther
	return o, a.setUp() // -o may have changed the common flags
}

func setOption(o *vfs.Options, flags *pflag.FlagSet, option string) error {
	name, value, hasValue := strings.Cut(option, "=")
	switch name {
	case "":
		return nil
	case "allow_other":
		o.AllowOther = true
	case "default_permissions":
		o.Kernel = append(o.Kernel, option)
	case "direct_io":
		o.IO = vfs.IODirect
	case "kernel_cache":
		o.IO = vfs.IOCached
	case "fsname":
		o.Source = value
	case "exec", "noexec":
		o.NoExec = name == "noexec"
	default:
		if slices.Contains(ignoredOptions, name) || strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "X-") || name == "comment" || name == "subtype" {
			return nil
		}
		flag := flags.Lookup(strings.ReplaceAll(name, "_", "-"))
		if flag == nil || flag.Name == "options" || flag.Name == "help" {
			return usageError("mount option %q is not known: take it out of -o", option)
		}
		if !hasValue {
			if flag.NoOptDefVal == "" {
				return usageError("mount option %q needs a value: write %s=VALUE", option, name)
			}
			value = flag.NoOptDefVal
		}
		if err := flags.Set(flag.Name, value); err != nil {
			return usageError("mount option %q: %w", option, err)
		}
	}
	return nil
}

// splitOptions parts options at commas; a backslash takes the meaning from the
// character after it, as mount.fuse(8) has it.
func splitOptions(list string) []string {
	var options []string
	var b strings.Builder
	for i := 0; i < len(list); i++ {
		switch {
		case list[i] == '\\' && i+1 < len(list):
			i++
			b.WriteByte(list[i])
		case list[i] == ',':
			options = append(options, b.String())
			b.Reset()
		default:
			b.WriteByte(list[i])
		}
	}
	return append(options, b.String())
}

// helperArgs returns the words of the command line after the program's name.
// mount(8) calls "mount.vzip LAYOUT MOUNTPOINT [-sfnv] [-o OPTIONS] [-t TYPE]",
// mount.fuse(8) "vzip LAYOUT MOUNTPOINT -o OPTIONS"; both mean "vzip mount
// --daemon", and so wait until the archives are visible.
func helperArgs(root *cobra.Command, args []string) ([]string, error) {
	words := args[1:]
	named := strings.HasPrefix(filepath.Base(args[0]), "mount.")
	if !named {
		if len(words) < 3 || strings.HasPrefix(words[0], "-") || words[2] != "-o" || isCommand(root, words[0]) {
			return words, nil
		}
	}
	helper := []string{"mount", "--daemon"}
	for i := 0; i < len(words); i++ {
		switch w := words[i]; {
		case w == "-t" || w == "-N":
			i++ // the type is ours; another namespace is mount(8)'s affair
		case w == "-f":
			return nil, usageError("mount -f does nothing here: leave it out")
		case len(w) > 1 && w[0] == '-' && strings.Trim(w[1:], "snv") == "":
		default:
			helper = append(helper, w)
		}
	}
	return helper, nil
}

func isCommand(root *cobra.Command, word string) bool {
	return slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == word })
}
