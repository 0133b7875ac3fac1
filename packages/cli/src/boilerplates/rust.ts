import type { Boilerplate } from "./boilerplate.ts";

const source = `use std::io::{self, Read};

/// Runs once per call: standard input is the body, standard output the answer; a failure ends with a code but 0.
fn main() -> io::Result<()> {
    let mut body = String::new();
    io::stdin().read_to_string(&mut body)?;
    let name = if body.trim().is_empty() { "world" } else { body.trim() };
    eprintln!("Greeting {name}");
    print!("Hello, {name}!");
    Ok(())
}
`;

const manifest = `[package]
name = "func"
version = "1.0.0"
edition = "2021"

[dependencies]
`;

export const rust: Boilerplate = {
  functionFile: ["runtime: rust", "format: stdio", "entrypoint: ./func"],
  files: () => ({ "Cargo.toml": manifest, "src/main.rs": source }),
};
