//! A mail server for tests that breaks where it is told to, and counts what it took.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What goes wrong with one mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// This code to MAIL.
    Mail(u16),
    /// This code to RCPT.
    Rcpt(u16),
    /// No answer to RCPT.
    SilentAtRcpt,
    /// The connection ends instead of an answer to DATA.
    DropAtData,
    /// DATA is answered after this time.
    SlowAtData(Duration),
    /// This code after the message.
    End(u16),
    /// The message is taken, and the connection ends instead of an answer.
    DropAtEnd,
    /// The message is taken, and answered after this time.
    SlowAtEnd(Duration),
    /// The message is taken, and there is no answer.
    SilentAtEnd,
}

/// How the server is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ways {
    /// Offers STARTTLS.
    pub starttls: bool,
    /// Speaks TLS from the first byte.
    pub implicit: bool,
    /// Asks for a login, by AUTH PLAIN.
    pub login: bool,
    /// Answers once too often before TLS begins, as somebody on the way could.
    pub injects: bool,
}

/// A mail that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Address of MAIL.
    pub from: String,
    /// Address of RCPT.
    pub to: String,
    /// The message.
    pub raw: String,
}

#[derive(Default)]
struct Seen {
    faults: Mutex<VecDeque<Fault>>,
    taken: Mutex<Vec<Taken>>,
    commands: Mutex<Vec<String>>,
    stopped: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

/// The server.
pub struct Peer {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    ways: Ways,
    seen: Arc<Seen>,
}

impl Peer {
    /// Starts a server without TLS and login.
    pub fn start() -> Self {
        Self::start_as(Ways::default())
    }

    /// Starts a server.
    pub fn start_as(ways: Ways) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer =
            Self { port: listener.local_addr().unwrap().port(), ways, seen: Arc::default() };
        peer.serve(listener);
        peer
    }

    fn serve(&mut self, listener: TcpListener) {
        let (ways, seen) = (self.ways, Arc::clone(&self.seen));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if seen.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, seen) = (stream.unwrap(), Arc::clone(&seen));
                seen.streams.lock().unwrap().push(stream.try_clone().unwrap());
                // A connection that breaks is the end of this thread and of nothing else.
                thread::spawn(move || converse(stream, ways, &seen).ok());
            }
        });
    }

    /// What goes wrong with the next mails, in order.
    pub fn fault(&self, faults: impl IntoIterator<Item = Fault>) {
        self.seen.faults.lock().unwrap().extend(faults);
    }

    /// Mails so far.
    pub fn taken(&self) -> Vec<Taken> {
        self.seen.taken.lock().unwrap().clone()
    }

    /// Whom mails went to so far.
    pub fn taken_for(&self) -> Vec<String> {
        self.taken().into_iter().map(|mail| mail.to).collect()
    }

    /// Commands so far, without what follows the verb of AUTH.
    pub fn commands(&self) -> Vec<String> {
        self.seen.commands.lock().unwrap().clone()
    }

    /// Goes away, with its connections.
    pub fn stop(&self) {
        self.seen.stopped.store(true, Ordering::SeqCst);
        TcpStream::connect(("127.0.0.1", self.port)).ok();
        for stream in self.seen.streams.lock().unwrap().drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Comes back at the same place.
    pub fn come_back(&mut self) {
        self.seen.stopped.store(false, Ordering::SeqCst);
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        self.serve(listener);
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn tls(stream: TcpStream) -> io::Result<Box<dyn Stream>> {
    let chain = vec![CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let connection = ServerConnection::new(Arc::new(config)).map_err(io::Error::other)?;
    Ok(Box::new(StreamOwned::new(connection, stream)))
}

fn converse(stream: TcpStream, ways: Ways, seen: &Seen) -> io::Result<()> {
    let raw = stream.try_clone()?;
    let stream: Box<dyn Stream> = if ways.implicit { tls(stream)? } else { Box::new(stream) };
    let mut session = Session {
        line: BufReader::new(stream),
        raw,
        ways,
        seen,
        encrypted: ways.implicit,
        signed_in: !ways.login,
        fault: Fault::None,
        from: String::new(),
        to: String::new(),
    };
    session.say("220 peer")?;
    while session.answer()? {}
    Ok(())
}

/// One connection.
struct Session<'a> {
    line: BufReader<Box<dyn Stream>>,
    raw: TcpStream,
    ways: Ways,
    seen: &'a Seen,
    encrypted: bool,
    signed_in: bool,
    fault: Fault,
    from: String,
    to: String,
}

impl Session<'_> {
    /// Answers one command; false after the last.
    fn answer(&mut self) -> io::Result<bool> {
        let command = self.read()?.trim_end().to_owned();
        let verb = command.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let told = if verb == "AUTH" { "AUTH".to_owned() } else { command.clone() };
        self.seen.commands.lock().unwrap().push(told);
        match verb.as_str() {
            "EHLO" => self.greet()?,
            "STARTTLS" => self.secure()?,
            "AUTH" => {
                // NUL me NUL canary-password
                self.signed_in = command.ends_with("AG1lAGNhbmFyeS1wYXNzd29yZA==");
                self.say(if self.signed_in { "235 welcome" } else { "535 no" })?;
            }
            "MAIL" if !self.signed_in => self.say("530 sign in first")?,
            "MAIL" => {
                let fault = self.seen.faults.lock().unwrap().pop_front();
                (self.fault, self.from) = (fault.unwrap_or(Fault::None), address(&command));
                match self.fault {
                    Fault::Mail(code) => self.say(&format!("{code} <{}> no", self.from))?,
                    _ => self.say("250 go on")?,
                }
            }
            "RCPT" => {
                self.to = address(&command);
                match self.fault {
                    Fault::Rcpt(code) => self.say(&format!("{code} <{}> no", self.to))?,
                    Fault::SilentAtRcpt => self.wait_for_end(),
                    _ => self.say("250 go on")?,
                }
            }
            "DATA" => return self.take(),
            "RSET" => self.say("250 forgotten")?,
            "QUIT" => {
                self.say("221 bye")?;
                return Ok(false);
            }
            _ => self.say("500 what")?,
        }
        Ok(true)
    }

    fn greet(&mut self) -> io::Result<()> {
        self.say("250-peer")?;
        if self.ways.starttls && !self.encrypted {
            self.say("250-STARTTLS")?;
        }
        if self.ways.login && (self.encrypted || !self.ways.starttls) {
            self.say("250-AUTH PLAIN LOGIN")?;
        }
        self.say("250 8BITMIME")
    }

    fn secure(&mut self) -> io::Result<()> {
        let more = if self.ways.injects { "\r\n250 too much" } else { "" };
        self.say(&format!("220 go on{more}"))?;
        self.line = BufReader::new(tls(self.raw.try_clone()?)?);
        self.encrypted = true;
        Ok(())
    }

    /// Takes a message; false if the connection ends with it.
    fn take(&mut self) -> io::Result<bool> {
        match self.fault {
            Fault::DropAtData => return self.drop_it(),
            Fault::SlowAtData(time) => thread::sleep(time),
            _ => (),
        }
        self.say("354 the message")?;
        let raw = self.read_message()?;
        let code = if let Fault::End(code) = self.fault { code } else { 250 };
        if code == 250 {
            let mail = Taken { from: self.from.clone(), to: self.to.clone(), raw };
            self.seen.taken.lock().unwrap().push(mail);
        }
        match self.fault {
            Fault::DropAtEnd => return self.drop_it(),
            Fault::SilentAtEnd => self.wait_for_end(),
            Fault::SlowAtEnd(time) => thread::sleep(time),
            _ => (),
        }
        self.say(&format!("{code} <{}>", self.to))?;
        Ok(true)
    }

    fn drop_it(&self) -> io::Result<bool> {
        self.raw.shutdown(Shutdown::Both).map(|()| false)
    }

    fn wait_for_end(&mut self) {
        while self.line.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        self.line.get_mut().write_all(format!("{text}\r\n").as_bytes())?;
        self.line.get_mut().flush()
    }

    fn read(&mut self) -> io::Result<String> {
        let mut text = String::new();
        if self.line.read_line(&mut text)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(text)
    }

    fn read_message(&mut self) -> io::Result<String> {
        let mut message = String::new();
        loop {
            let text = self.read()?;
            if text == ".\r\n" {
                return Ok(message);
            }
            message.push_str(text.strip_prefix('.').unwrap_or(&text));
        }
    }
}

/// The address in `MAIL FROM:<…>` or `RCPT TO:<…>`.
fn address(command: &str) -> String {
    let rest = command.split('<').nth(1).unwrap_or_default();
    rest.split('>').next().unwrap_or_default().to_owned()
}
