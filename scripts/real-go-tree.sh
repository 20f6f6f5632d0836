#!/usr/bin/env bash
# The Go tree as one archive: copied out, extracted, and compared with the source.
source "$(dirname "$0")/lib.sh"
tree=$(cd "$("${GO:-go}" env GOROOT)" && pwd -P)
cd "$work"
mkdir zips out
cat >tree.yaml <<YAML
version: 1
archives:
  - name: go.zip
    entries:
      - source: $tree
        as: go
YAML

say "The Go tree: $tree, $(find "$tree" | wc -l) files and folders, $(du -sh --apparent-size "$tree" | cut -f1)"
mount_layout tree.yaml zips
echo "  mounted after $ready s; $(stat -c %s zips/go.zip) bytes"
run "cp zips/go.zip go.zip && cmp zips/go.zip go.zip && echo copied"
run "unzip -q go.zip -d out && 7z t zips/go.zip | grep -E '^(Everything|Files|Folders)' && python3 -c \"import zipfile; print('testzip:', zipfile.ZipFile('zips/go.zip').testzip())\""

state() { (cd "$1" && find . -printf '%P %y %m %Ts %l\n' | LC_ALL=C sort); }
diff -r --no-dereference "$tree" out/go || fail "content differs"
state "$tree" >source.state
state out/go >out.state
diff source.state out.state >state.diff || { head state.diff; fail "modes, times or links differ"; }
echo "  extracted: $(wc -l <out.state) files and folders equal the source in content, type, mode, modification time and link target"
echo "  the daemon took at most $(memory VmHWM) MiB of memory"
unmount_layout zips
