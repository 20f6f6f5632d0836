package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"vzip/internal/require"
)

// Options that give a service a mount namespace of its own, which hides its mount
// from everybody else (systemd.exec(5)).
var namespaceOption = regexp.MustCompile(`(?m)^(PrivateMounts|PrivateTmp|PrivateDevices|PrivateUsers|PrivateIPC|PrivateNetwork|Protect(System|Home|KernelTunables|KernelModules|KernelLogs|ControlGroups|Proc)|ProcSubset|(ReadOnly|ReadWrite|Inaccessible|Exec|NoExec)Paths|Bind(ReadOnly)?Paths|TemporaryFileSystem|RootDirectory|RootImage|MountFlags|MountImages|ExtensionImages|DynamicUser)=`)

// What forbids openat2(2), without which no source can be opened.
var openat2Option = regexp.MustCompile(`(?m)^(RestrictSUIDSGID|DynamicUser)=`)

// TestUnits looks at the units of systemd with systemd's own tools. That they work
// is shown by "make package-test".
func TestUnits(t *testing.T) {
	t.Parallel()
	require.Needs(t, "systemd-analyze")
	vzip, err := exec.LookPath("vzip")
	must(t, err)
	for _, tt := range []struct {
		unit, threshold string // ten times what systemd-analyze calls the exposure
		forbidden       []*regexp.Regexp
	}{
		{"vzip@.service", "45", []*regexp.Regexp{namespaceOption, openat2Option}},
		{"vzip-serve@.service", "20", []*regexp.Regexp{openat2Option}},
	} {
		t.Run(tt.unit, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile("../../configs/systemd/" + tt.unit)
			must(t, err)
			for _, forbidden := range tt.forbidden {
				if found := forbidden.FindString(string(text)); found != "" {
					t.Errorf("got %q in it", found)
				}
			}
			// The program that it names must be there.
			unit := filepath.Join(t.TempDir(), strings.Replace(tt.unit, "@", "@test", 1))
			must(t, os.WriteFile(unit, bytes.ReplaceAll(text, []byte("/usr/bin/vzip"), []byte(vzip)), 0o644))
			for _, args := range [][]string{{"verify", "--man=no"}, {"security", "--offline=true", "--threshold=" + tt.threshold}} {
				out, err := exec.Command("systemd-analyze", append(args, unit)...).CombinedOutput()
				if err != nil || args[0] == "verify" && strings.Contains(string(out), filepath.Base(unit)) {
					t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
				}
			}
		})
	}
}

// TestServeCommands holds the units, the container and Kubernetes to the flags that
// there are.
func TestServeCommands(t *testing.T) {
	t.Parallel()
	unit, err := os.ReadFile("../../configs/systemd/vzip-serve@.service")
	must(t, err)
	mount, err := os.ReadFile("../../configs/systemd/vzip@.service")
	must(t, err)
	docker, err := os.ReadFile("../../configs/docker/Dockerfile")
	must(t, err)
	var inContainer []string
	must(t, yaml.Unmarshal(regexp.MustCompile(`(?m)^CMD (.*)$`).FindSubmatch(docker)[1], &inContainer))
	execStart := regexp.MustCompile(`(?m)^ExecStart=/usr/bin/vzip (.*)$`)
	for name, args := range map[string][]string{
		"vzip@.service":       strings.Fields(string(execStart.FindSubmatch(mount)[1])),
		"vzip-serve@.service": strings.Fields(string(execStart.FindSubmatch(unit)[1])),
		"Dockerfile":          inContainer,
		"serve.yaml":          container(t)["args"].([]string),
	} {
		root := (&app{}).rootCommand()
		if !isCommand(root, args[0]) {
			t.Logf("%s: there is no command %q", name, args[0])
			continue
		}
		cmd, rest, err := root.Find(args)
		must(t, err)
		must(t, cmd.ParseFlags(rest))
		if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			t.Errorf("%s: vzip %q: %v", name, args, err)
		}
	}
}

// TestKubernetes loads the layout of the example, and looks at what it promises.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "builds"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "builds/a"), []byte("a"), 0o644))
	var text string
	for _, doc := range kubernetes(t) {
		if doc["kind"] == "ConfigMap" {
			text = doc["data"].(map[string]any)["layout.yaml"].(string)
		}
	}
	file := filepath.Join(dir, "layout.yaml")
	must(t, os.WriteFile(file, []byte(strings.Replace(text, "source: /builds", "source: "+dir+"/builds", 1)), 0o644))
	if out, err := exec.Command("vzip", "check", file).CombinedOutput(); err != nil || !strings.Contains(string(out), "nightly.zip") {
		t.Errorf("vzip check: %v\n%s", err, out)
	}
	c := container(t)
	security := c["securityContext"].(map[string]any)
	if security["readOnlyRootFilesystem"] != true || security["allowPrivilegeEscalation"] != false || security["privileged"] != nil {
		t.Errorf("got %v", security)
	}
	mounts := map[string]bool{} // path: read-only
	for _, m := range c["volumeMounts"].([]any) {
		m := m.(map[string]any)
		mounts[m["mountPath"].(string)] = m["readOnly"] == true
	}
	if !mounts["/builds"] || !mounts["/etc/vzip"] || mounts["/cache"] {
		t.Errorf("got volumes %v, want only /cache to be written to", mounts)
	}
	for _, probe := range []string{"livenessProbe", "readinessProbe"} {
		if c[probe] == nil {
			t.Errorf("there is no %s", probe)
		}
	}
}

// kubernetes reads the documents of the example.
func kubernetes(t *testing.T) (docs []map[string]any) {
	t.Helper()
	f, err := os.Open("../../configs/kubernetes/serve.yaml")
	must(t, err)
	defer f.Close()
	d := yaml.NewDecoder(f)
	for {
		var doc map[string]any
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs
		}
		must(t, err)
		docs = append(docs, doc)
	}
}

// container is the one of the example's Deployment, its args as strings.
func container(t *testing.T) map[string]any {
	t.Helper()
	for _, doc := range kubernetes(t) {
		if doc["kind"] != "Deployment" {
			continue
		}
		pod := doc["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
		c := pod["containers"].([]any)[0].(map[string]any)
		var args []string
		for _, arg := range c["args"].([]any) {
			args = append(args, arg.(string))
		}
		c["args"] = args
		return c
	}
	t.Fatal("there is no Deployment")
	return nil
}

// TestFstabExample holds the line for /etc/fstab to the options that there are: those
// are looked at before the layout, which is not there.
func TestFstabExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../configs/fstab")
	must(t, err)
	dir := t.TempDir()
	lines := 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		lines++
		if len(fields) != 6 || fields[2] != "fuse.vzip" {
			t.Errorf("got line %q", line)
			continue
		}
		for options, want := range map[string]int{fields[3]: exitLayout, fields[3] + ",nosuch": exitUsage} {
			cmd := exec.Command("vzip", filepath.Join(dir, "none.yaml"), dir, "-o", options)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != want {
				t.Errorf("-o %s: got error %v, want exit code %d\n%s", options, err, want, out)
			}
		}
	}
	if lines != 1 {
		t.Errorf("got %d lines", lines)
	}
}
