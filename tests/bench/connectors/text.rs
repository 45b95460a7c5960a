//! What the document says of these parts, whatever their figures.

/// How calls are measured.
pub const CALLS: &str = "\
All on loopback and on the same cores: the client, the program in the middle and an echo server
([echo.rs](../engine/examples/echo.rs)), which does no more than JSON. Each caller keeps one connection and calls without a pause.
Every call has a text of its own, and an answer without it fails the whole run. Added latency is that of the way less that of a direct call
in the same round. In each round the ways come in another order.

- **UserEngine**: `POST /tools/call` on the static release binary with its defaults: the API key is compared, arguments are
  validated, the sealed credential is opened, the call is audited (a write durably, before it is made), breaker and limits watch it.
  The release build is compiled with a profile of such calls (`build/profile.sh`), and so is the echo server; the others are built
  as their authors publish them.
- **crate mcp-proxy** 0.6.0 (`cargo install`), one backend, nothing else switched on: no key, no credential, no audit, no breaker.
- **FastMCP's proxy** 4.1.2 in its defaults. It makes a session with the server for each call.
";

/// How growth is measured.
pub const GROWTH: &str = "\
8 callers, half of the calls reads and half writes, through one engine with one connection. Memory is looked at 50 times; growth is
the slope over the last 25 looks by least squares, times their number.
";

/// How idle engines with connections are measured.
pub const CONNECTED: &str = "\
As many engines as there are rounds at the same time, each connected to the same 10 servers, after one call to each server and 15 s
without any request. CPU: what all threads used in the 30 s after that.
";

/// How outages are measured.
pub const OUTAGES: &str = "\
6 callers call every 20 ms while the server is away. *Refused*: its process is killed and started again on the same port. *Silent*: its
process is stopped (SIGSTOP) and goes on (SIGCONT). The clock starts when the server is back and stops at the end of the first call
that was begun after that and was answered. With a time limit for calls of 1 s and a breaker that cools down for 5 s, always; the
defaults are 60 s, and 30 s doubling to 5 min.
";

/// How hanging servers are measured.
pub const HANGS: &str = "\
One engine with 10 servers. The servers that hang are stopped (SIGSTOP) while 2 callers of each go on calling, at most 10 times a second; a
call ends after 2 s. One caller calls the others in turn without a pause, before that and meanwhile. An engine of its own for each round.
";
