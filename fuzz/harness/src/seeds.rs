//! Real exchanges to start from, as scripts. `cargo xtask fuzz --seeds` writes
//! them to `fuzz/seeds`.

use sealift_oscore::Identity;
use sealift_oscore::client::edhoc_post;
use sealift_oscore::coap::{BlockOption, Code, Header, Kind, Writer, number};

use crate::rig::{plaintext, request};
use crate::rng::Rng;
use crate::script::{Script, Step};
#[cfg(feature = "liboscore")]
use crate::targets::differential as alike;
use crate::targets::{datagram as anybody, edhoc as exchange, inner as peer};

type Seeds = Vec<(String, Script)>;

/// A script without a capsule on the device, and the same with one.
fn both(seeds: &mut Seeds, name: &str, steps: Vec<Step>) {
    for (flags, suffix) in [(0, ""), (1, "-capsule")] {
        let steps = steps.clone();
        seeds.push((format!("{name}{suffix}"), Script { flags, steps }));
    }
}

fn one(seeds: &mut Seeds, name: &str, flags: u8, steps: Vec<Step>) {
    seeds.push((name.into(), Script { flags, steps }));
}

/// A message that nothing protects.
fn bare(kind: Kind, code: Code, build: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let header = Header {
        kind,
        mid: 7,
        token: b"t",
    };
    let mut buffer = [0; 300];
    let mut writer = Writer::message(&mut buffer, header, code).unwrap();
    build(&mut writer);
    let length = writer.finish();
    buffer[..length].to_vec()
}

/// A message_1 of a stranger, in its POST.
fn first() -> Vec<u8> {
    let mut rng = Rng::new(9);
    let stranger = Identity::generate("stranger", &mut rng).unwrap();
    let (_, payload) =
        sealift_oscore::ClientHandshake::start(&stranger, stranger.credential(), &mut rng).unwrap();
    let header = Header {
        kind: Kind::Confirmable,
        mid: 8,
        token: b"e",
    };
    let mut buffer = [0; 300];
    let length = edhoc_post(header, &payload, &mut buffer).unwrap();
    buffer[..length].to_vec()
}

pub(crate) fn datagram() -> Seeds {
    use anybody::{AGAIN, ASK, BACK, FLOOD, RAW, WAIT};

    let mut seeds = Vec::new();
    let ask = |which| Step::new(ASK, which, &[]);
    for which in 0..6 {
        both(&mut seeds, &format!("ask-{which}"), vec![ask(which)]);
    }
    both(
        &mut seeds,
        "again",
        vec![
            ask(1),
            Step::new(AGAIN, 1, &[0]),
            Step::new(AGAIN, 3, &[0]),
            ask(0),
            Step::new(AGAIN, 0, &[1]),
        ],
    );
    one(
        &mut seeds,
        "damaged",
        0,
        vec![
            ask(0),
            Step::new(AGAIN, 0, &[0, 0, 0, 20, 1]),
            Step::new(AGAIN, 0, &[0, 4, 0, 9, 0]),
            Step::new(AGAIN, 2, &[0, 2, 0, 5, 0xff]),
            ask(0),
        ],
    );
    one(
        &mut seeds,
        "back",
        0,
        vec![
            ask(0),
            Step::new(BACK, 0, &[0]),
            Step::new(BACK, 2, &[0, 1, 0, 1, 2]),
        ],
    );
    one(
        &mut seeds,
        "flood",
        0,
        vec![
            Step::new(FLOOD, 15, &first()),
            ask(0),
            Step::new(WAIT, 0x80 | 17, &[]),
            Step::new(FLOOD, 15, &first()),
            ask(0),
        ],
    );
    let plain = [
        ("ping", bare(Kind::Confirmable, Code::EMPTY, |_| {})),
        ("reset", bare(Kind::Reset, Code::EMPTY, |_| {})),
        (
            "core-block2",
            bare(Kind::Confirmable, Code::GET, |writer| {
                writer.uri_path(".well-known/core").unwrap();
                writer.uint(number::BLOCK2, 0x16).unwrap();
            }),
        ),
        (
            "edhoc-option",
            bare(Kind::Confirmable, Code::POST, |writer| {
                writer.option(number::OSCORE, &[9, 0, 0x20]).unwrap();
                writer.option(number::EDHOC, &[]).unwrap();
                writer.payload(&[0x43, 1, 2, 3, 4, 5]).unwrap();
            }),
        ),
        (
            "wrong-kid",
            bare(Kind::NonConfirmable, Code::POST, |writer| {
                writer.option(number::OSCORE, &[9, 0, 0x37]).unwrap();
                writer.payload(&[0; 30]).unwrap();
            }),
        ),
        ("first", first()),
    ];
    for (name, datagram) in plain {
        // A ping has no token.
        let datagram = match datagram[1] {
            0 => [&[datagram[0] & 0xf0][..], &datagram[1..4]].concat(),
            _ => datagram,
        };
        one(&mut seeds, name, 0, vec![Step::new(RAW, 2, &datagram)]);
    }
    seeds
}

pub(crate) fn inner() -> Seeds {
    use peer::{
        BLOCK, BLOCKS, CALLS, CONTROL, FIRE, OF_APP, OF_OP, REBOOT, WAIT, WITH_OUTER, WITHOUT_ACK,
    };

    let mut seeds = Vec::new();
    let block = |num, more, szx| BlockOption { num, more, szx };
    for (n, (code, path)) in [
        (Code::GET, "vm-control"),
        (Code::GET, "vm-control/vm1"),
        (Code::GET, ".well-known/core"),
        (Code::GET, "vm1/temperature"),
        (Code::DELETE, "vm-control/vm2"),
    ]
    .into_iter()
    .enumerate()
    {
        let plaintext = request(code, path);
        let steps = vec![
            Step::new(OF_OP, 0, &plaintext),
            Step::new(OF_APP, 0, &plaintext),
        ];
        both(&mut seeds, &format!("request-{n}"), steps);
    }
    let blocks = |path: &str, szx| -> Vec<Step> {
        let of = |num| {
            plaintext(Code::GET, |writer| {
                writer.uri_path(path).unwrap();
                writer
                    .block(number::BLOCK2, block(num, false, szx))
                    .unwrap();
            })
        };
        (0..3).map(|num| Step::new(OF_OP, 0, &of(num))).collect()
    };
    one(
        &mut seeds,
        "core-in-blocks",
        1,
        blocks(".well-known/core", 0),
    );
    one(&mut seeds, "status-in-blocks", 0, blocks("vm-control", 1));
    let endless = plaintext(Code::GET, |writer| {
        writer.uri_path("vm-control").unwrap();
        for _ in 0..1000 {
            writer.option(number::URI_PATH, b"").unwrap();
        }
        writer.uint(number::BLOCK2, 0x16).unwrap();
    });
    let endless = vec![
        Step::new(OF_APP, 0, &endless),
        Step::new(OF_OP, 0, &endless),
    ];
    one(&mut seeds, "options-without-end", 1, endless);
    one(
        &mut seeds,
        "options",
        0,
        vec![Step::new(
            OF_OP,
            0,
            &plaintext(Code::GET, |writer| {
                writer.option(number::IF_MATCH, b"x").unwrap();
                writer.option(number::URI_HOST, b"h").unwrap();
                writer.option(number::ETAG, b"tag").unwrap();
                writer.option(number::OBSERVE, &[]).unwrap();
                writer.uri_path("vm-control").unwrap();
                writer.option(number::URI_QUERY, b"a=b").unwrap();
                writer.uint(number::ACCEPT, 60).unwrap();
                writer.uint(number::SIZE1, 70_000).unwrap();
                writer.option(252, &[0; 8]).unwrap();
                writer.option(number::REQUEST_TAG, b"r").unwrap();
            }),
        )],
    );
    one(
        &mut seeds,
        "malformed",
        0,
        vec![
            Step::new(OF_OP, 0, &[1, 0xbf]),
            Step::new(OF_OP, 0, &[1, 0xb1, b'a', 0xff]),
            Step::new(OF_APP, 0, &[0]),
            Step::new(OF_APP, 0, &[]),
            Step::new(OF_OP, 0, &[0x45, 0xff, 1]),
        ],
    );
    let status = request(Code::GET, "vm-control");
    one(
        &mut seeds,
        "other-ways",
        0,
        vec![
            Step::new(WITHOUT_ACK, 0, &status),
            Step::new(WITH_OUTER, 0, &[b"xx", &status[..]].concat()),
            Step::new(WITH_OUTER, 14, &[b"xx", &status[..]].concat()),
        ],
    );
    // A body for a capsule, whole and with a gap.
    both(
        &mut seeds,
        "body",
        vec![
            Step::new(BLOCK, 0, &[4, 0, 3]),
            Step::new(BLOCK, 7, &[4, 0, 4]),
            Step::new(BLOCK, 7, &[4, 1, 4]),
            Step::new(BLOCK, 7, &[4, 3, 4]),
        ],
    );
    // Envelopes: 0 and 1 belong together, 2 and 3 have their payload inside;
    // from 5 on real ones.
    both(
        &mut seeds,
        "detached",
        vec![
            Step::new(BLOCKS, 0, &[0, 0, 9]),
            Step::new(BLOCKS, 0, &[1, 0, 2]),
            Step::new(REBOOT, 0, &[]),
            Step::new(BLOCKS, 0, &[1, 0, 9]),
        ],
    );
    both(&mut seeds, "whole", vec![Step::new(BLOCKS, 0, &[2, 0, 9])]);
    both(&mut seeds, "job", vec![Step::new(BLOCKS, 0, &[3, 0, 9])]);
    for (body, name) in [(5, "update"), (6, "second"), (9, "real-job")] {
        one(
            &mut seeds,
            name,
            1,
            vec![
                Step::new(BLOCKS, 0, &[body, 0, 99]),
                Step::new(OF_APP, 0, &request(Code::GET, "vm1/temperature")),
                Step::new(CONTROL, 0, &[]),
                Step::new(CONTROL, 1, &[]),
                Step::new(REBOOT, 0, &[]),
                Step::new(CONTROL, 2, &[]),
            ],
        );
    }
    one(
        &mut seeds,
        "real-detached",
        1,
        vec![
            Step::new(BLOCKS, 0, &[7, 0, 9]),
            Step::new(BLOCKS, 0, &[8, 0, 20]),
            Step::new(BLOCK, 0, &[8, 20, 6, 1, 2, 0, 0]),
            Step::new(REBOOT, 0, &[]),
            Step::new(WAIT, 0x80 | 20, &[]),
            Step::new(BLOCKS, 0, &[8, 15, 99]),
        ],
    );
    for (n, input) in [
        "fibonacci 10\n\nfibonacci 47",
        "fibonacci 4294967295",
        "fibonacci",
        "walk 1",
        "",
        "\u{0}",
    ]
    .into_iter()
    .enumerate()
    {
        let calls = Step::new(CALLS, 0, input.as_bytes());
        one(&mut seeds, &format!("calls-{n}"), 1, vec![calls]);
    }
    // Several at a time, some not confirmable, and a second deployer in between.
    let fire = |arg, code, path| Step::new(FIRE, arg, &request(code, path));
    one(
        &mut seeds,
        "together",
        1,
        vec![
            fire(1, Code::GET, "vm1/temperature"),
            fire(5, Code::GET, "vm1/temperature"),
            fire(1, Code::PUT, "vm1/other"),
            fire(0, Code::POST, "vm-control/vm1/rollback"),
            fire(2, Code::GET, "vm-control"),
            Step::new(BLOCKS, 0, &[5, 0, 20]),
            Step::new(BLOCKS, 3, &[7, 0, 9]),
            Step::new(BLOCKS, 0, &[5, 20, 99]),
            fire(1, Code::GET, "vm1/temperature"),
            Step::new(REBOOT, 0, &[]),
        ],
    );
    // Nobody acknowledges.
    one(
        &mut seeds,
        "silence",
        3,
        vec![
            fire(1, Code::GET, "vm1/temperature"),
            Step::new(WAIT, 0x80 | 12, &[]),
            Step::new(WAIT, 0x80 | 13, &[]),
            fire(1, Code::GET, "vm1/temperature"),
            Step::new(WAIT, 0x80 | 16, &[]),
        ],
    );
    seeds
}

pub(crate) fn edhoc() -> Seeds {
    use exchange::{
        COMBINED, CRAFTED_FIRST, CRAFTED_SECOND, CRAFTED_THIRD, FIRST, RAW, SECOND, THIRD, WAIT,
    };

    let mut seeds = Vec::new();
    for (n, name) in ["one", "two", "stranger"].into_iter().enumerate() {
        let n = n as u8;
        let third = vec![Step::new(FIRST, n, &[]), Step::new(THIRD, n, &[])];
        one(&mut seeds, &format!("third-{name}"), 0, third);
        let combined = vec![Step::new(FIRST, n, &[]), Step::new(COMBINED, n, &[])];
        one(&mut seeds, &format!("combined-{name}"), 0, combined);
    }
    one(
        &mut seeds,
        "damaged",
        0,
        vec![
            Step::new(FIRST, 0, &[0, 0, 40, 1]),
            Step::new(FIRST, 0, &[]),
            Step::new(THIRD, 0, &[0, 0, 30, 1]),
            Step::new(FIRST, 1, &[]),
            Step::new(COMBINED, 1, &[0, 0, 60, 1]),
            Step::new(FIRST, 1, &[]),
            Step::new(SECOND, 1, &[4, 0, 40, 0]),
        ],
    );
    one(
        &mut seeds,
        "many",
        0,
        (0..6)
            .flat_map(|n| [Step::new(FIRST, n, &[]), Step::new(THIRD, n, &[])])
            .collect(),
    );
    one(
        &mut seeds,
        "late",
        0,
        vec![
            Step::new(FIRST, 0, &[]),
            Step::new(WAIT, 0x80 | 18, &[]),
            Step::new(THIRD, 0, &[]),
        ],
    );
    // Firsts of any parts: C_I, then external authorization data.
    for (n, (arg, rest)) in [
        (0_u8, &[0x05][..]),
        (0, &[0x44, 1, 2, 3, 4]),
        (0, &[0x05, 1, 0x42, 7, 7]),
        (0, &[0x05, 0x20]),
        (1, &[0x05]),
        (2, &[0x05]),
        (3, &[0x05]),
        (0x40, &[0x05]),
        (0x80, &[0x05]),
        (0xc0, &[0x05]),
        (0, &[0x48, 1, 2, 3, 4, 5, 6, 7, 8]),
    ]
    .into_iter()
    .enumerate()
    {
        let step = Step::new(CRAFTED_FIRST, arg, rest);
        one(&mut seeds, &format!("crafted-first-{n}"), 0, vec![step]);
    }
    // Plaintexts: an identifier of a credential, a MAC, external data.
    let mac = [0x48, 0, 0, 0, 0, 0, 0, 0, 0];
    let claims = {
        let person = Identity::generate("second", &mut Rng::new(4)).unwrap();
        person.credential().clone()
    };
    for (n, plaintext) in [
        [&[0x44], claims.kid(), &mac].concat(),
        [&[0xa1, 0x0e], claims.as_bytes(), &mac].concat(),
        [&[0x05][..], &mac, &[1, 0x42, 7, 7]].concat(),
        [&[0x05][..], &mac, &[0x20]].concat(),
        [&[0xa1, 0x04, 0x44], claims.kid(), &mac].concat(),
        vec![0x98, 0xff, 0x98, 0xff],
    ]
    .into_iter()
    .enumerate()
    {
        let third = vec![Step::new(CRAFTED_THIRD, 0, &plaintext)];
        one(&mut seeds, &format!("crafted-third-{n}"), 0, third);
        let plaintext = [&[0x06], &plaintext[..]].concat();
        let second = vec![Step::new(CRAFTED_SECOND, 0, &plaintext)];
        one(&mut seeds, &format!("crafted-second-{n}"), 0, second);
    }
    for (n, payload) in [&[][..], &[0xf5], &[0x05, 0x40], &[0x20, 0x58, 0xff]]
        .into_iter()
        .enumerate()
    {
        let step = Step::new(RAW, 0, payload);
        one(&mut seeds, &format!("raw-{n}"), 0, vec![step]);
    }
    seeds
}

#[cfg(feature = "liboscore")]
pub(crate) fn differential() -> Seeds {
    use alike::{
        AGAIN, EXCHANGE, OPTION, REQUEST_OPTION, REQUEST_TEXT, RESPONSE_OPTION, RESPONSE_TEXT,
        options,
    };

    let mut seeds = Vec::new();
    // A path and a payload, as the target reads it.
    let message = |code: u8, options: &[u16], payload: u8| {
        let mut bytes = vec![code];
        for n in 0..6 {
            let number = options.get(n).copied().unwrap_or(11);
            let index = alike::options().position(|known| known == number);
            bytes.extend([index.unwrap_or(0) as u8, 3]);
        }
        bytes.extend([options.len() as u8, payload]);
        bytes.extend(vec![b'a'; options.len() * 3]);
        bytes.extend(vec![b'p'; usize::from(payload) * 2]);
        bytes
    };
    let exchange = |damage: u8, patches: [u8; 4]| {
        let request = message(2, &[11, 11, 27, 252], 20);
        let response = message(2, &[4, 12, 14], 30);
        Step::new(
            EXCHANGE,
            damage,
            &[&patches[..], &request, &response].concat(),
        )
    };
    let genuine = exchange(0, [0; 4]);
    one(&mut seeds, "exchange", 0b00_001_001, vec![genuine.clone()]);
    one(&mut seeds, "no-identifiers", 0, vec![genuine.clone()]);
    one(
        &mut seeds,
        "long-identifiers",
        0b00_111_111,
        vec![genuine.clone(); 4],
    );
    for number in options() {
        let request = message(0, &[number], 0);
        let response = message(1, &[number], 1);
        let step = Step::new(EXCHANGE, 0, &[&[0; 4][..], &request, &response].concat());
        one(&mut seeds, &format!("option-{number}"), 9, vec![step]);
    }
    for damage in [REQUEST_OPTION, REQUEST_TEXT, RESPONSE_OPTION, RESPONSE_TEXT] {
        for (n, patches) in [[0, 0, 1, 1], [2, 0, 1, 0], [4, 0, 12, 0]]
            .into_iter()
            .enumerate()
        {
            let steps = vec![genuine.clone(), exchange(damage, patches), genuine.clone()];
            one(&mut seeds, &format!("damaged-{damage}-{n}"), 9, steps);
        }
    }
    let mut steps = vec![genuine; 20];
    steps.extend([0, 5, 19].map(|which| Step::new(AGAIN, 0, &[which])));
    one(&mut seeds, "again", 9, steps);
    for (n, value) in [
        &[][..],
        &[9, 0, 1],
        &[0x19, 0, 2, 7, 7, 1],
        &[0x0d, 1, 2, 3, 4, 5],
    ]
    .into_iter()
    .enumerate()
    {
        let step = Step::new(OPTION, 0, value);
        one(&mut seeds, &format!("value-{n}"), 0, vec![step]);
    }
    seeds
}
