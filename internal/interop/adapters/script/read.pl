#!/usr/bin/perl
# Prints the entries of a ZIP archive as Perl's modules read them.
#
# usage: read.pl archive-zip|unzip ARCHIVE

use strict;
use warnings;
use Digest::SHA;
use IO::Uncompress::Unzip qw($UnzipError);

use constant PIECE => 1 << 18;

sub line {
    my (%line) = @_;
    print join(' ', map { "$_=$line{$_}" } grep { defined $line{$_} } sort keys %line), "\n";
}

sub archive_zip {
    my ($path) = @_;
    require Archive::Zip;
    my $failure;
    Archive::Zip::setErrorHandler(sub { $failure //= join ' ', @_ });

    my $zip = Archive::Zip->new;
    my $failed = $zip->read($path) != Archive::Zip::AZ_OK();
    die $failure // 'Archive::Zip: not read', "\n" if $failed || $failure;
    for my $m ($zip->members) {
        my $crc  = $m->crc32;    # before reading, which works it out anew
        my $type = $m->isDirectory ? 'd' : $m->isSymbolicLink ? 'l' : 'f';
        my $sha;
        if ($type ne 'd') {
            $sha = Digest::SHA->new(256);
            $m->desiredCompressionMethod(Archive::Zip::COMPRESSION_STORED());
            my $status = $m->rewindData;
            while ($status == Archive::Zip::AZ_OK()) {
                (my $piece, $status) = $m->readChunk(PIECE);
                # The end of deflated data comes with its last piece.
                $sha->add($$piece) if $status == Archive::Zip::AZ_OK() || $status == Archive::Zip::AZ_STREAM_END();
            }
            die $failure // "Archive::Zip: status $status", "\n"
                if $status != Archive::Zip::AZ_STREAM_END();
            # The module leaves it to its callers to compare.
            die "Archive::Zip: CRC-32 differs\n" if $m->crc32 != $crc;
        }
        line(
            name  => unpack('H*', $m->fileNameAsBytes),
            type  => $type,
            size  => $m->uncompressedSize,
            crc   => sprintf('%08x', $crc),
            mode  => sprintf('%o', $m->unixFileAttributes),
            mtime => $m->lastModTime,
            sha   => $sha && $sha->hexdigest,
        );
    }
}

# The archive is a plain stream to this one: it goes from local header to local header.
sub unzip {
    my ($path) = @_;
    open my $stream, '<:raw', $path or die "$path: $!\n";
    my $zip = IO::Uncompress::Unzip->new($stream, Strict => 1, Transparent => 0)
        or die "IO::Uncompress::Unzip: $UnzipError\n";
    my $status;
    do {
        my %header = %{ $zip->getHeaderInfo };    # a copy, as reading writes to it
        my $size   = $header{UncompressedLength};
        my $sha    = Digest::SHA->new(256);
        while (($status = $zip->read(my $piece, PIECE)) > 0) {
            $sha->add($piece);
        }
        die 'IO::Uncompress::Unzip: ', $zip->error, "\n" if $status < 0;
        my $type = $header{Name} =~ m{/\z} ? 'd' : 'f';
        line(
            name  => unpack('H*', $header{Name}),
            type  => $type,
            size  => ref $size ? $size->get64bit : $size,
            crc   => sprintf('%08x', $header{CRC32}),
            mtime => $header{Time},
            sha   => $type eq 'f' ? $sha->hexdigest : undef,
        );
    } while (($status = $zip->nextStream) > 0);
    die 'IO::Uncompress::Unzip: ', $zip->error, "\n" if $status < 0;
}

my ($reader, $archive) = @ARGV;
my $read = { 'archive-zip' => \&archive_zip, unzip => \&unzip }->{$reader};
if (!eval { $read->($archive); close STDOUT or die "standard output: $!\n" }) {
    print STDERR $@;
    exit 1;
}
