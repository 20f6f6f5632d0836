(* OCaml's camlzip. It tests no CRC of entries that are stored. *)

let hex s =
  String.to_seq s
  |> Seq.map (fun c -> Printf.sprintf "%02x" (Char.code c))
  |> List.of_seq |> String.concat ""

(* Larger entries go through a pipe, as they need not fit into memory. *)
let piece = 1 lsl 20

let piped_sha archive entry =
  let from, into = Unix.pipe ~cloexec:true () in
  let sum = ref "" in
  let hashing =
    Thread.create
      (fun () ->
        let data = Unix.in_channel_of_descr from in
        sum := Sha256.to_hex (Sha256.channel data (-1));
        close_in data)
      ()
  in
  let out = Unix.out_channel_of_descr into in
  Zip.copy_entry_to_channel archive entry out;
  close_out out;
  Thread.join hashing;
  !sum

let sha archive (e : Zip.entry) =
  if e.uncompressed_size > piece then piped_sha archive e
  else Sha256.to_hex (Sha256.string (Zip.read_entry archive e))

let print archive (e : Zip.entry) =
  Printf.printf "name=%s type=%c size=%d crc=%08lx mtime=%.0f" (hex e.filename)
    (if e.is_directory then 'd' else 'f')
    e.uncompressed_size e.crc e.mtime;
  if not e.is_directory then Printf.printf " sha=%s" (sha archive e);
  print_char '\n'

let () =
  try
    let archive = Zip.open_in Sys.argv.(Array.length Sys.argv - 1) in
    List.iter (print archive) (Zip.entries archive);
    Zip.close_in archive
  with
  | Zip.Error (_, entry, message) ->
      prerr_endline (entry ^ ": " ^ message);
      exit 1
  | e ->
      prerr_endline (Printexc.to_string e);
      exit 1
