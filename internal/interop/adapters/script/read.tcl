# Prints the entries of a ZIP archive as Tcl's libraries read them.
#
# usage: read.tcl zipfile|vfs ARCHIVE

package require Tcl 8.6
package require sha256

fconfigure stdout -buffersize 262144

proc hex {bytes} {
    return [binary encode hex $bytes]
}

# Archives of many entries mostly have the same few times and data.
proc remember {args} {
    variable results
    if {![info exists results($args)]} {
        set results($args) [{*}$args]
    }
    return $results($args)
}

# Tcllib's own SHA-256 is slow, but a process takes longer for up to some 500 bytes.
proc hashOf {data} {
    if {[string length $data] <= 500} {
        return [remember sha2::sha256 -hex -- $data]
    }
    set sum [openSum]
    puts -nonewline $sum $data
    return [closeSum $sum]
}

proc hash {channel} {
    set data [read $channel 501]
    if {[string length $data] <= 500} {
        return [hashOf $data]
    }
    set sum [openSum]
    puts -nonewline $sum $data
    fcopy $channel $sum
    return [closeSum $sum]
}

proc openSum {} {
    set sum [open |sha256sum r+]
    fconfigure $sum -translation binary
    return $sum
}

proc closeSum {sum} {
    close $sum write
    set hash [lindex [read $sum] 0]
    close $sum
    return $hash
}

proc line {args} {
    puts [join [lmap {key value} $args {string cat $key = $value}]]
}

proc isLink {mode} {
    return [expr {($mode & 0o170000) == 0o120000}]
}

# The date and the time as MS-DOS has them.
proc seconds {date time} {
    set text [format %04d-%02d-%02dT%02d:%02d:%02d \
        [expr {1980 + ($date >> 9)}] [expr {$date >> 5 & 15}] [expr {$date & 31}] \
        [expr {$time >> 11}] [expr {$time >> 5 & 63}] [expr {($time & 31) * 2}]]
    return [clock scan $text -format %Y-%m-%dT%H:%M:%S -gmt 1]
}

# Tcllib hands out bytes: of names, and of whole entries.
proc zipfile {archive} {
    package require zipfile::decode
    ::zipfile::decode::open $archive
    set archive [::zipfile::decode::archive]
    dict for {name info} [dict get $archive files] {
        array set entry $info
        set mode [expr {$entry(efattr) >> 16}]
        set type [expr {[string match */ $name] ? "d" : [isLink $mode] ? "l" : "f"}]
        set line [list name [hex $name] type $type size $entry(ucsize) crc [format %08x $entry(crc)] \
            mode [format %o $mode] mtime [remember seconds $entry(lmfd) $entry(lmft)]]
        if {$type ne "d"} {
            # As getfile does, which builds a table of all entries for each.
            lappend line sha [hashOf [::zipfile::decode::GetFile $name entry]]
        }
        line {*}$line
        unset entry
    }
    ::zipfile::decode::close
}

# Tclvfs shows an archive as a folder.
proc vfs {archive} {
    package require vfs::zip
    set root [file join [pwd] archive]
    vfs::zip::Mount $archive $root
    walk $root ""
}

proc walk {folder prefix} {
    foreach path [lsort [glob -nocomplain -directory $folder *]] {
        file stat $path stat
        set name $prefix[file tail $path]
        set mode [format %o $stat(mode)]
        if {$stat(type) eq "directory"} {
            line name [hex [encoding convertto utf-8 $name/]] type d size $stat(size) mode $mode mtime $stat(mtime)
            walk $path $name/
            continue
        }
        set data [open $path rb]
        line name [hex [encoding convertto utf-8 $name]] type [expr {[isLink $stat(mode)] ? "l" : "f"}] \
            size $stat(size) mode $mode mtime $stat(mtime) sha [hash $data]
        close $data
    }
}

lassign $argv reader archive
if {[catch {$reader $archive} message]} {
    puts stderr $message
    exit 1
}
flush stdout
