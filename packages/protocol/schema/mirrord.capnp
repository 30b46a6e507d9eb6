@0xb2f4c1d09a7e6635;
# Every message of mirrord, on both hops. docs/protocol.md tells how they are framed and in which order they go.
#
#   program + layer  <->  session  <->  agent
#
# `Message` goes between session and agent, inside frames. `LayerRequest` and `LayerReply` go between layer and
# session, one of each for a channel. Bulk bytes (file contents, paths on the layer's hop) never go inside a message:
# they follow it. Paths, names and environment are `Data`: they are bytes, not text.
# Ordinals are never used twice.

# ---------------------------------------------------------------------------------------------- failures

enum FailureKind {
  system @0;       # the call failed on the target: `errno` says why
  unsupported @1;  # the other side can't do this
  forbidden @2;    # the other side may not do this
  limit @3;        # a stated limit was exceeded
  protocol @4;     # the message broke the protocol
  gone @5;         # the target, or the other side, is gone
  cancelled @6;    # the asker closed the id before the answer
  internal @7;     # a defect of the answering side; its log has the rest
}

enum Errno {
  # By name, since numbers differ between systems. `none` with kind `system` is never sent.
  none @0; eperm @1; enoent @2; esrch @3; eintr @4; eio @5; enxio @6; e2big @7; enoexec @8; ebadf @9;
  eagain @10; enomem @11; eacces @12; efault @13; ebusy @14; eexist @15; exdev @16; enodev @17; enotdir @18;
  eisdir @19; einval @20; enfile @21; emfile @22; enotty @23; etxtbsy @24; efbig @25; enospc @26; espipe @27;
  erofs @28; emlink @29; epipe @30; erange @31; edeadlk @32; enametoolong @33; enolck @34; enosys @35;
  enotempty @36; eloop @37; enodata @38; eoverflow @39; estale @40; edquot @41; enotsup @42; econnreset @43;
  etimedout @44; ecanceled @45; ehostdown @46; eremoteio @47; eshutdown @48; econnrefused @49; econnaborted @50;
  ehostunreach @51; enetunreach @52; enetdown @53; enetreset @54; eaddrinuse @55; eaddrnotavail @56;
  eafnosupport @57; eprotonosupport @58; eprototype @59; eproto @60; emsgsize @61; enobufs @62; enotconn @63;
  eisconn @64; einprogress @65; ealready @66; edestaddrreq @67; enotsock @68; enoprotoopt @69; epfnosupport @70;
  esocktnosupport @71; enonet @72;
}

struct Failure {
  kind @0 :FailureKind;
  errno @1 :Errno;
  text @2 :Text;  # one sentence for a person; never a secret
}

# ---------------------------------------------------------------------------------------------- values

struct Stat {
  # What statx(2) gives. Times are in seconds and nanoseconds since the epoch.
  device @0 :UInt64;     # st_dev, encoded as the target's kernel does
  inode @1 :UInt64;
  size @2 :UInt64;
  blocks @3 :UInt64;     # of 512 bytes
  rdev @4 :UInt64;
  mode @5 :UInt32;       # type and permissions, as st_mode
  links @6 :UInt32;
  uid @7 :UInt32;
  gid @8 :UInt32;
  blockSize @9 :UInt32;
  allowed @10 :UInt8;    # what the target's user may do: R_OK (4) | W_OK (2) | X_OK (1)
  hasBorn @11 :Bool;     # whether the file system knows `born`
  accessedNanoseconds @12 :UInt32;
  modifiedNanoseconds @13 :UInt32;
  changedNanoseconds @14 :UInt32;
  bornNanoseconds @15 :UInt32;
  accessedSeconds @16 :Int64;
  modifiedSeconds @17 :Int64;
  changedSeconds @18 :Int64;
  bornSeconds @19 :Int64;
}

struct FileSystem {
  # What statfs(2) gives.
  type @0 :UInt64;
  blockSize @1 :UInt64;
  blocks @2 :UInt64;
  blocksFree @3 :UInt64;
  blocksAvailable @4 :UInt64;
  files @5 :UInt64;
  filesFree @6 :UInt64;
  id @7 :UInt64;
  nameLength @8 :UInt64;
  fragmentSize @9 :UInt64;
  flags @10 :UInt64;
}

struct DirectoryEntry {
  name @0 :Data;
  inode @1 :UInt64;
  type @2 :UInt8;   # d_type of readdir(3): DT_REG and so on
  stat @3 :Stat;    # of the entry itself, links not followed; null if it vanished meanwhile or may not be read
}

struct DirectoryChunk {
  # A listing is a byte stream that is a sequence of these, each in Cap'n Proto's stream framing with one segment.
  # The order is the target's; "." and ".." come first.
  entries @0 :List(DirectoryEntry);
}

struct Variable {
  name @0 :Data;
  value @1 :Data;
}

struct Address {
  # Where a socket is, or is connected to.
  host @0 :Data;    # 4 bytes (IPv4) or 16 (IPv6), in network order; for a Unix socket its path, or NUL and its
                    # abstract name; empty if it has none
  port @1 :UInt16;
  scope @2 :UInt32; # sin6_scope_id, in the target's network
  unix @3 :Bool;
}

# ---------------------------------------------------------------------------------------------- session <-> agent

struct Message {
  # The body of a frame of kind `message`. The frame's id says what it speaks of.
  union {
    hello @0 :Hello;         # session to agent, first; id 0
    welcome @1 :Welcome;     # agent to session, the answer to `hello`; id 0
    refused @2 :Failure;     # agent to session, the other answer to `hello`; the connection ends after it
    open @3 :Open;           # session to agent: requests; the id is chosen by the session and never used twice
    read @4 :Read;
    stat @5 :PathRequest;
    list @6 :ListDirectory;
    readlink @7 :PathRequest;
    realpath @8 :PathRequest;
    fileSystem @9 :PathRequest;
    opened @10 :Opened;      # agent to session: answers, each with its request's id
    stated @11 :Stat;
    listed @12 :Listed;
    path @13 :Data;          # answer to `readlink` and `realpath`
    fileSystemIs @14 :FileSystem;
    failure @15 :Failure;    # the answer to any request, or the bad end of its stream; of a connection either way
    close @16 :Void;         # session to agent, one way: forget this id, stop its stream, close its handle
    credit @17 :UInt64;      # receiver of a stream to its sender: so many bytes more may be sent
    changed @18 :Void;       # agent to session: something below the watched listing of this id has changed;
                             # the watch is over
    ping @19 :UInt64;        # either way; answered by `pong` with the same number
    pong @20 :UInt64;
    ack @21 :Void;           # nothing but the acknowledgement in the frame's header
    goodbye @22 :Failure;    # either way, last
    resolve @23 :Resolve;    # session to agent: requests
    reverse @24 :Address;
    query @25 :Query;
    connect @26 :Connect;
    datagrams @27 :Datagrams;
    subscribe @28 :Subscribe;
    resolved @29 :Resolved;  # agent to session: answers; to `resolve` and `reverse`
    records @30 :Data;       # answer to `query`: a DNS message
    connected @31 :Connected;  # answer to `connect` and `datagrams`
    subscribed @32 :Void;    # answer to `subscribe`; the subscription lives until `close`
    incoming @33 :Incoming;  # agent to session: a connection has come. Its id is chosen by the agent, with the
                             # highest bit set, ever larger
  }
}

struct Hello {
  major @0 :UInt16;
  minor @1 :UInt16;
  capabilities @2 :UInt64;         # bits of `Capability`
  token @3 :Data;                  # the session's secret, 32 bytes
  environment @4 :Bool;            # send the target's environment in `welcome`
  include @5 :List(Data);          # wildcards of names (`*`, `?`); empty means all
  exclude @6 :List(Data);
}

enum Capability {
  # Bit numbers of `capabilities`.
  files @0;
  environment @1;
  watches @2;
  names @3;
  outgoing @4;
  incoming @5;
}

struct Lacking {
  # What an agent can't do for this target that others can.
  capability @0 :UInt16;           # a bit number
  reason @1 :Failure;
}

struct Welcome {
  major @0 :UInt16;
  minor @1 :UInt16;
  capabilities @2 :UInt64;
  requests @3 :UInt32;             # so many requests may wait for their answers at once: the credit for requests
  lease @4 :UInt32;                # milliseconds of silence after which the agent frees what this session holds
  target @5 :Target;
  environment @6 :List(Variable);
  lacking @7 :List(Lacking);
}

struct Target {
  pid @0 :UInt32;                  # in the agent's PID namespace
  uid @1 :UInt32;
  gid @2 :UInt32;
  name @3 :Data;                   # the main process's comm
  hostname @4 :Data;
  workingDirectory @5 :Data;       # inside the target's root
}

struct Open {
  # Answered by `opened`; the content follows as data frames of the same id, at most `content` bytes, unasked.
  # The handle of this id stays open afterwards unless `opened` says `complete`.
  path @0 :Data;                   # absolute, resolved below the target's root
  flags @1 :UInt32;                # bits of `OpenFlag`
  content @2 :UInt32;              # send the whole content with the answer if it has at most so many bytes
  head @3 :UInt32;                 # else so many bytes of its beginning
}

enum OpenFlag {
  # Bit numbers of `flags`.
  noFollow @0;      # ELOOP if the last component is a symbolic link
  directory @1;     # ENOTDIR if it isn't a directory
  nonBlocking @2;
  pathOnly @3;      # only its stat is wanted: no content, no handle
  noAccessTime @4;
}

struct Opened {
  stat @0 :Stat;
  form @1 :Form;
  complete @2 :Bool;  # the stream that follows is the whole content, and the handle is closed after it

  enum Form {
    whole @0;       # a regular file whose content follows in full
    large @1;       # a regular file to be read by `read` requests; its head follows
    request @2;     # a regular file of unknown size (/proc): to be read by `read` requests, nothing follows
    stream @3;      # a FIFO, device or socket: its bytes follow as they come, by credit, until `close`
    directory @4;   # nothing follows
    nothing @5;     # `pathOnly`
  }
}

struct Read {
  # Answered by data frames of this request's id, the last one marked `end`. Fewer bytes than `length` mean the
  # end of the file.
  handle @0 :UInt64;   # the id of an `open`
  offset @1 :UInt64;
  length @2 :UInt32;   # is the stream's credit too
}

struct PathRequest {
  path @0 :Data;
  noFollow @1 :Bool;   # `stat` only
}

struct ListDirectory {
  # Answered by `listed`, then data frames: a sequence of `DirectoryChunk`, the last frame marked `end`.
  path @0 :Data;
  watch @1 :Bool;      # keep a watch on the directory until `close` or `changed`
  credit @2 :UInt32;   # bytes of the stream that may be sent before any `credit`
}

struct Listed {
  stat @0 :Stat;       # of the directory
  watched @1 :Bool;    # `changed` will be sent; false where the target doesn't allow it or `path` leads over links
}

struct Resolve {
  # A name's addresses, as getaddrinfo(3) would give them to the target. Answered by `resolved`.
  name @0 :Data;
  families @1 :UInt8;        # 1 IPv4 | 2 IPv6
  canonicalName @2 :Bool;    # wanted too
  configuredOnly @3 :Bool;   # AI_ADDRCONFIG: leave out families of which the target has no address
}

struct Resolved {
  outcome @0 :Outcome;
  addresses @1 :List(Address);  # ports are 0; in the order of RFC 6724, as seen from the target
  name @2 :Data;                # the canonical name if it was wanted; the answer to `reverse`
  aliases @3 :List(Data);       # further names: of a hosts file's line, or those that led to the canonical one
  lifetime @4 :UInt32;          # milliseconds for which this answer, also a bad one, may be remembered

  enum Outcome {
    found @0;
    noName @1;     # EAI_NONAME: there is no such name
    noData @2;     # EAI_NODATA: the name has no address of these families
    tryAgain @3;   # EAI_AGAIN: no server answered
    failed @4;     # EAI_FAIL: a server refused
  }
}

struct Query {
  # A question in DNS's own format (RFC 1035), sent to the target's servers. Answered by `records`; a failure with
  # ETIMEDOUT or ECONNREFUSED: no server answered.
  message @0 :Data;
  search @1 :Bool;   # apply the target's search list to the question's name, as res_search(3) does
}

struct Connect {
  # A connection from the target's network. Answered by `connected` once it is established; then both sides send data
  # frames of this id, the last one marked `end`. The id is over when both have ended, or by a `failure` of either
  # side (ECONNRESET: a reset), or by `close`.
  to @0 :Address;
  credit @1 :UInt32;   # bytes that the agent may send before any `credit`
}

struct Datagrams {
  # A UDP socket in the target's network. Answered by `connected`. Each data frame of this id is one datagram: 24 bytes
  # of the other side's address (LayerAddress' layout), then its content. What there is no credit for is dropped.
  # Over by `close`, or by a `failure`.
  to @0 :Address;      # connect it, so that ICMP errors are told; empty host: not connected
  credit @1 :UInt32;
  ipv6 @2 :Bool;
}

struct Connected {
  local @0 :Address;   # of the agent's socket
  peer @1 :Address;
  credit @2 :UInt32;   # bytes that the session may send before any `credit`
}

struct Subscribe {
  # Connections that come to a TCP port of the target are the session's from now on, or copies of them. Answered by
  # `subscribed`. A failure with EADDRINUSE: another session has the port; the text says which.
  port @0 :UInt16;
  mode @1 :Mode;
  loopback @2 :Bool;   # those too that come from the target itself
  reset @3 :Bool;      # reset connections established before; else they stay the target's
  credit @4 :UInt32;   # bytes of each connection that the agent may send before any `credit`

  enum Mode {
    steal @0;          # the session answers
    mirror @1;         # the target answers; the session gets a copy of what comes, and sends nothing. A copy that
                       # the session doesn't take in time ends with the failure `limit`
  }
}

struct Incoming {
  # A connection; what is said of `connect`'s after its answer holds for it.
  subscription @0 :UInt64;
  peer @1 :Address;
  local @2 :Address;
  credit @3 :UInt32;   # bytes that the session may send before any `credit`; 0 for a mirrored one
}

# ---------------------------------------------------------------------------------------------- layer <-> session

enum LayerOperation {
  open @0;         # payload: path; flags: the system's O_* flags; mode
  stat @1;         # payload: path; flags: AT_SYMLINK_NOFOLLOW
  access @2;       # payload: path; flags: AT_*; mode: R_OK | W_OK | X_OK
  readlink @3;     # payload: path
  realpath @4;     # payload: path
  list @5;         # payload: path, or empty: the directory `device`, `inode`. Two descriptors come back:
                   # the listing (a sequence of DirectoryChunk) and the directory
  enter @6;        # payload: path, or empty: for chdir and fchdir. The directory's descriptor comes back
  identify @7;     # what is the descriptor `device`, `inode`?
  wait @8;         # wait until `offset` .. `offset + length` of the file `device`, `inode` is there
  read @9;         # read by request from the file `device`, `inode`
  fileSystem @10;  # payload: path, or empty: the file `device`, `inode`
  place @11;       # payload: path; which path on this machine should a change of it go to?
  notice @12;      # payload: a program's path; flags: LayerNotice. Comes back: text for stderr, once a program
  table @13;       # the shared table's descriptor comes back
  resolve @14;     # payload: name; flags: LayerResolve. Back: addresses, then, if it was wanted, the canonical name, and a
                   # NUL before each alias; `offset`: how many addresses, `length`: Resolved's outcome
  reverse @15;     # payload: address. Back: the name, and a NUL before each alias
  query @16;       # payload: DNS message; flags 1: search. Back: DNS message
  connect @17;     # payload: address; inode: the socket; flags: LayerSocket. Back: the address to connect to here
  connecting @18;  # the socket `inode` has called connect; payload: its own address. Nothing comes back
  outcome @19;     # how did the connect of the socket `inode` end?
  describe @20;    # payload: a socket's own and its peer's address; inode. Back: both as the target sees them
  bind @21;        # payload: an address that can't be bound here. Back: the one to bind instead
  listen @22;      # payload: the address listened on, or that a datagram socket is bound to; flags: LayerSocket
  send @23;        # payload: a datagram socket's own address, destination; inode. Back: the address to send to here
  hostname @24;    # back: the target's
}

enum LayerResolve {
  # Bit numbers of `flags`.
  ipv4 @0;
  ipv6 @1;
  canonicalName @2;
  configuredOnly @3;
}

enum LayerSocket {
  # Bit numbers of `flags`.
  nonBlocking @0;
  datagram @1;
  ipv6 @2;       # the socket is of AF_INET6
  ipv6Only @3;   # IPV6_V6ONLY
  unix @4;       # the payload is a path, or NUL and an abstract name
}

struct LayerAddress {
  # 24 bytes: an address in payloads on the layer's hop, and before datagrams.
  family @0 :UInt16;   # 4, 6; 0: none
  port @1 :UInt16;
  scope @2 :UInt32;
  first @3 :UInt64;    # the host's bytes in network order, as they are in memory; IPv4 has four
  second @4 :UInt64;
}

enum LayerNotice {
  static @0;
  privileged @1;   # set-user-ID, set-group-ID or file capabilities
  go @2;
}

struct LayerRequest {
  # One packet: this message (no pointers, so its size is fixed), then `payload` raw bytes. Relative paths are taken
  # from the stand-in directory `device`, `inode`; with both 0 the payload is absolute.
  operation @0 :LayerOperation;
  payload @1 :UInt16;
  flags @2 :UInt32;
  mode @3 :UInt32;
  process @4 :UInt32;
  device @5 :UInt64;
  inode @6 :UInt64;
  offset @7 :UInt64;
  length @8 :UInt64;
}

enum LayerOutcome {
  done @0;
  local @1;    # do it on this machine, to the payload's path if there is one, else to the path asked about
  failed @2;   # with `errno`
}

enum LayerForm {
  # What a descriptor is.
  foreign @0;     # not one of ours
  whole @1;       # a whole remote file
  filling @2;     # a large remote file that is being filled
  request @3;     # a remote file to be read by request
  directory @4;   # a stand-in for a remote directory
  stream @5;      # a pipe that brings a remote FIFO's or device's bytes
}

struct LayerReply {
  # One packet: this message (no pointers), then `payload` raw bytes. Descriptors come as SCM_RIGHTS.
  outcome @0 :LayerOutcome;
  errno @1 :Errno;
  form @2 :LayerForm;
  payload @3 :UInt32;
  offset @4 :UInt64;   # `wait`: what is there reaches from `offset` ...
  length @5 :UInt64;   # ... over so many bytes; `read`: bytes read
  device @6 :UInt64;   # `open`, `list`, `enter`: the identity of the descriptor handed out
  inode @7 :UInt64;
  stat :group {        # `open`, `stat`, `identify`, `list`, `enter`: as in Stat
    device @8 :UInt64;
    inode @9 :UInt64;
    size @10 :UInt64;
    blocks @11 :UInt64;
    rdev @12 :UInt64;
    mode @13 :UInt32;
    links @14 :UInt32;
    uid @15 :UInt32;
    gid @16 :UInt32;
    blockSize @17 :UInt32;
    accessedNanoseconds @18 :UInt32;
    modifiedNanoseconds @19 :UInt32;
    changedNanoseconds @20 :UInt32;
    bornNanoseconds @21 :UInt32;
    hasBorn @22 :Bool;
    allowed @23 :UInt8;
    accessedSeconds @24 :Int64;
    modifiedSeconds @25 :Int64;
    changedSeconds @26 :Int64;
    bornSeconds @27 :Int64;
  }
}
