//! Somebody between kiosk and service, who holds back what kiosks are told from day to day until a test
//! lets it through: a kiosk asks at its start, and then only every few minutes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Default)]
pub struct Gate {
    service: Arc<Mutex<Option<SocketAddr>>>,
    open: watch::Sender<bool>,
}

impl Gate {
    /// Where the service is, now and from now on.
    pub fn leads_to(&self, service: SocketAddr) {
        *self.service.lock().unwrap() = Some(service);
    }

    /// Lets through what was held back.
    pub fn opens(&self) {
        self.open.send_replace(true);
    }

    /// Listens on loopback; gives its address.
    pub async fn listens(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((kiosk, _)) = listener.accept().await {
                tokio::spawn(self.clone().carries(kiosk));
            }
        });
        format!("http://{address}")
    }

    /// Carries one connection; the question for a configuration has one of its own.
    async fn carries(self, mut kiosk: TcpStream) -> std::io::Result<()> {
        let mut first = vec![0; 4_096];
        let read = kiosk.read(&mut first).await?;
        first.truncate(read);
        if first.starts_with(b"GET /api/v1/configuration/") {
            let _ = self.open.subscribe().wait_for(|open| *open).await;
        }
        let service = self.service.lock().unwrap().expect("it leads somewhere");
        let mut service = TcpStream::connect(service).await?;
        service.write_all(&first).await?;
        copy_bidirectional(&mut kiosk, &mut service).await?;
        Ok(())
    }
}
