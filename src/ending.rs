//! Being asked to end: Ctrl-C, or SIGTERM from whoever started the program.

use std::future::Future;

/// Listens from now on, before it is awaited: whoever is asked to end while still starting ends in
/// good order, too. The future ends once the process is asked to end.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn listen() -> impl Future<Output = ()> + Send {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        [signal(SignalKind::terminate()), signal(SignalKind::interrupt())]
    };
    async move {
        #[cfg(unix)]
        if let [Ok(mut term), Ok(mut interrupt)] = signals {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
        let _ = tokio::signal::ctrl_c().await;
    }
}
