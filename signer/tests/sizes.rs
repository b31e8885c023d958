#[test]
fn sizes() {
    for name in std::env::var("WASMS").unwrap().split(',') {
        let wasm = std::fs::read(name).unwrap();
        for target in signer::Target::ALL {
            for kind in [signer::Kind::Persistent, signer::Kind::Ephemeral] {
                match signer::translate(&wasm, target, kind) {
                    Ok(t) => println!("{name} {target} {kind:?} {:?} mem {} {:#?}", t.imports, t.initial_memory, t.sizes),
                    Err(e) => println!("{name} {target} {kind:?}: {e}"),
                }
            }
        }
    }
}
