//! A line echo on tokio: a buffered reader, a line, a write.
#![forbid(unsafe_code)]

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let listener = TcpListener::bind(address).await?;
    loop {
        let (mut socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(async move {
            let (input, mut output) = socket.split();
            let mut input = BufReader::new(input);
            let mut line = Vec::new();
            while let Ok(1..) = input.read_until(b'\n', &mut line).await {
                if output.write_all(&line).await.is_err() {
                    break;
                }
                line.clear();
            }
        });
    }
}
