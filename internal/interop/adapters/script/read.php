<?php
// Prints the entries of a ZIP archive as PHP's libraries read them.
//
// usage: read.php ziparchive|phardata|pclzip ARCHIVE

const PIECE = 1 << 18;

function print_line(array $line): void
{
    // PHP's output is written at once where it is not buffered.
    static $buffer = '';
    if ($line) {
        $buffer .= implode(' ', array_map(fn($key) => "$key=$line[$key]", array_keys($line))) . "\n";
    }
    if (!$line || strlen($buffer) > PIECE) {
        fwrite(STDOUT, $buffer);
        $buffer = '';
    }
}

function sha256($stream): string
{
    stream_set_chunk_size($stream, PIECE); // 8 KiB otherwise
    $sha = hash_init('sha256');
    while (!feof($stream)) {
        hash_update($sha, fread($stream, PIECE));
    }
    fclose($stream);
    return hash_final($sha);
}

function ziparchive(string $path): void
{
    $zip = new ZipArchive();
    if (($status = $zip->open($path, ZipArchive::RDONLY)) !== true) {
        throw new RuntimeException("ZipArchive: error $status");
    }
    for ($i = 0; $i < $zip->numFiles; $i++) {
        $stat = $zip->statIndex($i) ?: throw new RuntimeException($zip->getStatusString());
        $line = [
            'name' => bin2hex($stat['name']),
            'type' => str_ends_with($stat['name'], '/') ? 'd' : 'f',
            'size' => $stat['size'],
            'crc' => sprintf('%08x', $stat['crc']),
            'mtime' => $stat['mtime'],
        ];
        if ($zip->getExternalAttributesIndex($i, $system, $attributes) && $system === ZipArchive::OPSYS_UNIX) {
            $mode = $attributes >> 16;
            $line['mode'] = decoct($mode);
            if (($mode & 0170000) === 0120000) {
                $line['type'] = 'l';
            }
        }
        if ($line['type'] !== 'd') {
            $stream = $zip->getStreamIndex($i) ?: throw new RuntimeException($zip->getStatusString());
            $line['sha'] = sha256($stream);
        }
        print_line($line);
    }
}

function phardata(string $path): void
{
    $phar = new PharData($path, FilesystemIterator::KEY_AS_PATHNAME | FilesystemIterator::CURRENT_AS_FILEINFO);
    $root = strlen('phar://' . realpath($path) . '/');
    foreach (new RecursiveIteratorIterator($phar, RecursiveIteratorIterator::SELF_FIRST) as $file) {
        $name = substr($file->getPathname(), $root);
        if ($file->isDir()) {
            print_line(['name' => bin2hex("$name/"), 'type' => 'd', 'size' => $file->getSize(), 'mtime' => $file->getMTime()]);
            continue;
        }
        $line = [
            'name' => bin2hex($name),
            'type' => 'f',
            'size' => $file->getSize(),
            'mtime' => $file->getMTime(),
            'sha' => sha256(fopen($file->getPathname(), 'rb')),
        ];
        $line['crc'] = sprintf('%08x', $file->getCRC32()); // told after reading alone
        print_line($line);
    }
}

// PclZip reads whole entries into memory. It hands each to the second function and keeps what that leaves.
function pclzip(string $path): void
{
    error_reporting(E_ALL & ~E_DEPRECATED);
    require 'pclzip.lib.php';
    ini_set('memory_limit', -1);
    $zip = new PclZip($path);
    $zip->PclZip($path); // a constructor to PHP 4 to 7, but not to PHP 8
    $entries = $zip->extract(
        PCLZIP_OPT_EXTRACT_AS_STRING,
        PCLZIP_OPT_STOP_ON_ERROR,
        PCLZIP_CB_PRE_EXTRACT,
        'pclzip_before',
        PCLZIP_CB_POST_EXTRACT,
        'pclzip_after',
    );
    if (!is_array($entries)) {
        throw new RuntimeException($zip->errorInfo(true));
    }
}

// Empty entries are not to be extracted: PHP 8 has no fread of 0 bytes, which PclZip asks for.
function pclzip_before(int $event, array &$entry): int
{
    return $entry['size'] > 0 ? 1 : 0;
}

function pclzip_after(int $event, array &$entry): int
{
    $directory = $entry['folder'];
    $line = [
        'name' => bin2hex($entry['stored_filename']),
        'type' => $directory ? 'd' : 'f',
        'size' => $entry['size'],
        'crc' => sprintf('%08x', $entry['crc']),
        'mtime' => $entry['mtime'],
    ];
    if (!$directory) {
        if (strlen($entry['content']) !== $entry['size']) {
            throw new RuntimeException('PclZip: got ' . strlen($entry['content']) . " bytes of $entry[size]");
        }
        $line['sha'] = hash('sha256', $entry['content']);
    }
    $entry['content'] = '';
    print_line($line);
    return 1;
}

set_error_handler(function (int $level, string $message) {
    if (error_reporting() & $level) {
        throw new ErrorException($message);
    }
    return true;
});
try {
    [, $reader, $archive] = $argv;
    $reader($archive);
    print_line([]);
} catch (Throwable $e) {
    fwrite(STDERR, get_class($e) . ': ' . $e->getMessage() . "\n");
    exit(1);
}
