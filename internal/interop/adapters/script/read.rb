# Prints the entries of a ZIP archive as Ruby's libraries read them.
#
# usage: read.rb zip-file|zip-input-stream|archive-zip ARCHIVE

require 'digest'

PIECE = 1 << 18

def print_line(**line)
  puts(line.compact.map { |key, value| "#{key}=#{value}" }.join(' '))
end

# sha256 reads data to its end, which has to be the one that was told.
def sha256(data, size)
  sha = Digest::SHA256.new
  length = 0
  while length < size && (piece = data.read([PIECE, size - length].min))
    length += piece.bytesize
    sha << piece
  end
  raise "got #{length} bytes of #{size}" if length != size

  sha.hexdigest
end

def rubyzip_line(entry, **more)
  print_line(name: entry.name.unpack1('H*'), size: entry.size, crc: format('%08x', entry.crc),
             mtime: entry.time.to_i, **more)
end

def zip_file(path)
  require 'zip'
  Zip::File.open(path) do |zip|
    zip.each do |entry|
      sha = sha256(entry.get_input_stream, entry.size) unless entry.directory?
      rubyzip_line(entry, type: { directory: 'd', symlink: 'l' }.fetch(entry.ftype, 'f'),
                          mode: format('%o', entry.unix_perms), sha: sha)
    end
  end
end

# Local headers have neither modes nor links, and the library looks for directories before it knows names.
def zip_input_stream(path)
  require 'zip'
  Zip::InputStream.open(path) do |zip|
    while (entry = zip.get_next_entry)
      directory = entry.name_is_directory?
      rubyzip_line(entry, type: directory ? 'd' : 'f', sha: directory ? nil : sha256(zip, entry.size))
    end
  end
end

def archive_zip(path)
  require 'archive/zip'
  Archive::Zip.open(path) do |zip|
    zip.each do |entry|
      expected = entry.expected_data_descriptor
      case entry.ftype
      when :symlink # checked by the library
        sha = Digest::SHA256.hexdigest(entry.link_target || '')
      when :file
        sha = sha256(entry.file_data, expected.uncompressed_size)
        expected.verify(entry.file_data.data_descriptor)
      else
        sha = nil
      end
      print_line(name: entry.zip_path.unpack1('H*'), type: entry.ftype[0].sub('s', 'l'),
                 size: expected.uncompressed_size, crc: format('%08x', expected.crc32), sha: sha,
                 mode: format('%o', entry.mode), mtime: entry.mtime.to_i, uid: entry.uid, gid: entry.gid)
    end
  end
end

begin
  reader, archive = ARGV
  send(reader.tr('-', '_'), archive)
  $stdout.flush
rescue StandardError, NoMemoryError => e
  abort "#{e.class}: #{e.message}"
end
