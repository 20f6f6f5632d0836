#!/usr/bin/env bash
# Shows what vzip does, on sources that it makes itself.
source "$(dirname "$0")/lib.sh"
cd "$work"

say "1. Some folders, as a build leaves them"
mkdir -p builds/win-x64-0427 builds/lin-x64-0427/logs handbook/pictures zips out
head -c 24000000 /dev/urandom >builds/win-x64-0427/disk.vhdx
head -c 18000000 /dev/urandom >builds/lin-x64-0427/disk.vhdx
seq 100000 >builds/lin-x64-0427/logs/build.log
echo "scratch" >builds/lin-x64-0427/disk.tmp
printf 'Read me first.\n' >handbook/README.txt
head -c 300000 /dev/urandom >"handbook/pictures/Übersicht.png"
ln -s ../README.txt handbook/pictures/link-to-readme
run "du -sh builds handbook"

say "2. A layout: which folders, and what they are called inside the archives"
cat >demo.yaml <<'YAML'
version: 1
archives:
  - name: vm-images.zip
    entries:
      - source: builds/win-x64-0427
        as: images/windows
      - source: builds/lin-x64-0427
        as: images/linux
        exclude: ["**/*.tmp"]
  - name: docs/handbook.zip
    comment: The handbook
    entries:
      - source: handbook
YAML
run "cat demo.yaml"

say "3. Mounted: the archives are there, with their exact size, and take no room"
printf '  $ vzip mount demo.yaml zips &\n'
mount_layout demo.yaml zips
sed 's/^/    /' vzip.log
run "find zips -type f -printf '%10s bytes  %p\n'"

say "4. Copied out with cp and rsync, like any file"
run "cp zips/vm-images.zip out/ && rsync -a zips/docs out/ && cmp zips/vm-images.zip out/vm-images.zip && find out -type f -printf '%10s bytes  %p\n'"

say "5. Checked by four programs that know nothing of vzip"
run "unzip -tq zips/vm-images.zip"
run "7z t zips/vm-images.zip | grep -E '^(Everything|Files|Size)'"
run "bsdtar -tf zips/docs/handbook.zip"
run "python3 -c \"import zipfile; z = zipfile.ZipFile('zips/vm-images.zip'); print('testzip:', z.testzip() or 'every CRC-32 is right')\""

say "6. One file by random access: only its bytes are made"
run "unzip -p zips/vm-images.zip images/linux/logs/build.log | tail -1"
unzip -p zips/vm-images.zip images/windows/disk.vhdx | cmp - builds/win-x64-0427/disk.vhdx || fail "disk.vhdx differs"
printf '    and images/windows/disk.vhdx equals builds/win-x64-0427/disk.vhdx\n'

say "7. Unmounted"
printf '  $ vzip umount zips\n'
unmount_layout zips
run "ls -A zips | wc -l"

say "That was vzip: $(du -sh --apparent-size out | cut -f1) of archives were read from the mount; not one of them was ever written to disk by vzip."
