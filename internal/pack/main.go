// Command pack makes a .deb and an .rpm of what scripts/package.sh has built, as
// nfpm.yaml says. It is a module of its own, so that vzip does not depend on what it
// is packed with.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

func main() {
	config := flag.String("config", "", "nfpm.yaml; its paths are relative to the working folder")
	arch := flag.String("arch", "amd64", "architecture, as Go calls it")
	describe := flag.String("version", "", "what git describe says")
	maintainer := flag.String("maintainer", "", "name and address")
	epoch := flag.Int64("epoch", 0, "the time of everything, in seconds since 1970")
	out := flag.String("out", ".", "folder for the packages")
	flag.Parse()
	date := time.Unix(*epoch, 0).UTC()
	values := map[string]string{"ARCH": *arch, "VERSION": packageVersion(*describe, date), "MAINTAINER": *maintainer}
	for _, format := range []string{"deb", "rpm"} {
		file, err := pack(*config, format, values, date, *out)
		if err != nil {
			fmt.Fprintf(os.Stderr, "pack: %s for %s: %v\n", format, *arch, err)
			os.Exit(1)
		}
		fmt.Println(file)
	}
}

// pack writes one package to the folder out, and returns its path. The same files,
// values and date give the same bytes.
func pack(file, format string, values map[string]string, date time.Time, out string) (string, error) {
	config, err := nfpm.ParseFileWithEnvMapping(file, func(name string) string { return values[name] })
	if err != nil {
		return "", err
	}
	info, err := config.Get(format)
	if err != nil {
		return "", err
	}
	info.MTime = date
	info = nfpm.WithDefaults(info)
	packager, err := nfpm.Get(format)
	if err != nil {
		return "", err
	}
	info.Target = filepath.Join(out, packager.ConventionalFileName(info))
	f, err := os.Create(info.Target)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := packager.Package(info, f); err != nil {
		return "", err
	}
	return info.Target, f.Close()
}
