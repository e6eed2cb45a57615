use proptest::prelude::*;

use super::*;
use crate::MTU;
use crate::coc::FrameError;

const ROUTER_CID: u16 = 0x40;
const NODE_CID: u16 = 0x41;

fn settings(cid: u16, mps: u16, credits: u16) -> Settings {
    Settings::new(cid, mps, credits).unwrap()
}

/// A router and a node that have not spoken yet.
fn pair(mps: u16, credits: u16) -> [Channel; 2] {
    let router = Channel::connect(settings(ROUTER_CID, mps, credits));
    [router, Channel::listen(settings(NODE_CID, mps, credits))]
}

/// Carries frames until both are silent; how many.
fn exchange([a, b]: &mut [Channel; 2]) -> usize {
    let mut frames = 0;
    loop {
        let before = frames;
        while let Some(frame) = a.poll_frame() {
            let _ = b.receive(&frame);
            frames += 1;
        }
        while let Some(frame) = b.poll_frame() {
            let _ = a.receive(&frame);
            frames += 1;
        }
        if frames == before {
            return frames;
        }
    }
}

fn events(channel: &mut Channel) -> Vec<Event> {
    std::iter::from_fn(|| channel.poll_event()).collect()
}

/// A pair with an open channel.
fn opened(mps: u16, credits: u16) -> [Channel; 2] {
    let mut pair = pair(mps, credits);
    assert_eq!(exchange(&mut pair), 2);
    for end in &mut pair {
        let mtu = 1280;
        assert_eq!(events(end), [Event::Opened(Terms { mtu, mps, credits })]);
    }
    pair
}

fn signal(id: u8, command: Command) -> Vec<u8> {
    frame::join(SIGNALLING_CID, &Signal { id, command }.to_vec())
}

fn last_signal(channel: &mut Channel) -> Option<Command> {
    let frames: Vec<_> = std::iter::from_fn(|| channel.poll_frame()).collect();
    let (cid, payload) = frame::split(frames.last()?).unwrap();
    assert_eq!(cid, SIGNALLING_CID);
    Some(Signal::parse(payload).unwrap().command)
}

#[test]
fn the_longest_packet_passes_in_several_frames() {
    let mut pair = opened(247, 10);
    let sdu: Vec<u8> = (0..=255).cycle().take(MTU).collect();
    pair[0].send(&sdu).unwrap();
    assert_eq!(
        pair[0].send(&[0; MTU + 1]),
        Err(SendError::TooLong(MTU + 1))
    );
    // 1,282 octets in frames of 247, and the credits for them.
    assert_eq!(exchange(&mut pair), 6 + 1);
    assert_eq!(events(&mut pair[1]), [Event::Received(sdu)]);
}

#[test]
fn without_credits_nothing_is_sent() {
    let [mut router, mut node] = opened(247, 2);
    router.send(&[7; MTU]).unwrap();
    let frames: Vec<_> = std::iter::from_fn(|| router.poll_frame()).collect();
    assert_eq!((frames.len(), router.credits()), (2, 0));
    for frame in frames {
        node.receive(&frame).unwrap();
    }
    router.receive(&node.poll_frame().unwrap()).unwrap();
    assert_eq!(router.credits(), 2);
    assert!(router.poll_frame().is_some());
}

#[test]
fn who_does_not_take_what_arrives_gives_no_credits() {
    let mut pair = opened(247, 4);
    for sdu in 0..200_u8 {
        while pair[0].send(&[sdu]) == Err(SendError::Full) {
            if exchange(&mut pair) == 0 {
                break;
            }
        }
    }
    assert!(!pair[0].is_ready());
    let waiting = events(&mut pair[1]).len();
    assert!((MAX_UNREAD..MAX_UNREAD + 4).contains(&waiting), "{waiting}");
    assert!(exchange(&mut pair) > 0);
}

#[test]
fn either_end_closes_and_both_know() {
    for closing in [0, 1] {
        let mut pair = opened(247, 10);
        pair[closing].send(b"too late").unwrap();
        pair[closing].close();
        assert_eq!(exchange(&mut pair), 2);
        assert_eq!(events(&mut pair[closing]), [Event::Closed(Closed::Here)]);
        assert_eq!(
            events(&mut pair[1 - closing]),
            [Event::Closed(Closed::There)]
        );
        assert_eq!(pair[0].send(b"x"), Err(SendError::NotOpen));
        assert_eq!(pair[1].credits(), 0);
    }
}

#[test]
fn what_nobody_may_do_closes_the_channel() {
    let long = frame::join(NODE_CID, &[0; 248]);
    let endless = frame::join(NODE_CID, &1281_u16.to_le_bytes());
    let overrun = frame::join(NODE_CID, &[1, 0, 7, 7]);
    let bare = frame::join(NODE_CID, &[1]);
    let credit = |credits| {
        let cid = ROUTER_CID;
        signal(9, Command::Credit { cid, credits })
    };
    let [zero, flood] = [0, u16::MAX].map(credit);
    for (frame, violation) in [
        (long, Violation::LongFrame(248)),
        (endless, Violation::LongSdu(1281)),
        (overrun, Violation::Overrun),
        (bare, Violation::NoLength),
        (zero, Violation::Credits { given: 0, held: 10 }),
        (
            flood,
            Violation::Credits {
                given: u16::MAX,
                held: 10,
            },
        ),
    ] {
        let [mut router, mut node] = opened(247, 10);
        assert_eq!(node.receive(&frame), Err(violation.into()));
        assert_eq!(events(&mut node), [Event::Closed(violation.into())]);
        router.receive(&node.poll_frame().unwrap()).unwrap();
        assert_eq!(events(&mut router), [Event::Closed(Closed::There)]);
    }
}

#[test]
fn a_frame_without_a_credit_closes_the_channel() {
    let [_, mut node] = opened(247, 2);
    let frame = frame::join(NODE_CID, &[200, 0]);
    assert_eq!(node.receive(&frame), Ok(()));
    let more = frame::join(NODE_CID, &[7]);
    assert_eq!(node.receive(&more), Ok(()));
    assert_eq!(node.receive(&more), Err(Violation::NoCredit.into()));
}

#[test]
fn what_is_asked_for_in_vain_is_refused_with_the_reason() {
    let terms = Terms {
        mtu: 1280,
        mps: 247,
        credits: 10,
    };
    let small = Terms { mtu: 512, ..terms };
    for (psm, source, terms, refusal) in [
        (0x25, 0x40, terms, Refusal::PSM_NOT_SUPPORTED),
        (PSM, 0x05, terms, Refusal::INVALID_SOURCE_CID),
        (PSM, 0x80, terms, Refusal::INVALID_SOURCE_CID),
        (PSM, 0x40, small, Refusal::UNACCEPTABLE_PARAMETERS),
    ] {
        let mut node = Channel::listen(settings(NODE_CID, 247, 10));
        let request = Command::ConnectRequest { psm, source, terms };
        node.receive(&signal(1, request)).unwrap();
        assert!(!node.is_open());
        match last_signal(&mut node) {
            Some(Command::ConnectResponse { result, .. }) => assert_eq!(Refusal(result), refusal),
            other => panic!("{other:?}"),
        }
    }
    let [mut router, _] = opened(247, 10);
    for (source, refusal) in [
        (NODE_CID, Refusal::SOURCE_CID_TAKEN),
        (0x50, Refusal::NO_RESOURCES),
    ] {
        let psm = PSM;
        let request = Command::ConnectRequest { psm, source, terms };
        router.receive(&signal(1, request)).unwrap();
        match last_signal(&mut router) {
            Some(Command::ConnectResponse { result, .. }) => assert_eq!(Refusal(result), refusal),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_router_that_is_refused_knows_why() {
    let terms = Terms {
        mtu: 1280,
        mps: 247,
        credits: 10,
    };
    let small = Terms { mps: 22, ..terms };
    let response = |destination, terms, result| Command::ConnectResponse {
        destination,
        terms,
        result,
    };
    let refused = Refusal::NO_RESOURCES;
    for (answer, closed) in [
        (response(0, terms, refused.0), Closed::Refused(refused)),
        (
            Command::Reject(RejectReason::NotUnderstood),
            Closed::NotUnderstood,
        ),
        (
            response(NODE_CID, small, 0),
            Violation::Terms(NODE_CID).into(),
        ),
        (response(5, terms, 0), Violation::Terms(5).into()),
    ] {
        let [mut router, _] = pair(247, 10);
        assert_eq!(
            router.receive(&signal(7, answer)),
            Err(ReceiveError::OutOfPlace)
        );
        let _ = router.receive(&signal(1, answer));
        assert_eq!(events(&mut router), [Event::Closed(closed)]);
        assert!(!router.is_open());
    }
}

#[test]
fn what_does_not_concern_the_channel_leaves_it_as_it_is() {
    let [mut router, mut node] = opened(247, 10);
    let stray = frame::join(0x55, b"x");
    assert_eq!(node.receive(&stray), Err(ReceiveError::Cid(0x55)));
    assert_eq!(
        node.receive(&[1]),
        Err(ReceiveError::Frame(FrameError::Short(1)))
    );
    let other = Command::DisconnectRequest {
        destination: 0x55,
        source: 0x56,
    };
    assert_eq!(
        node.receive(&signal(1, other)),
        Err(ReceiveError::OutOfPlace)
    );
    assert_eq!(last_signal(&mut node), Some(Command::Rejected));
    let unknown = frame::join(SIGNALLING_CID, &[0x12, 5, 0, 0]);
    assert!(node.receive(&unknown).is_err());
    assert_eq!(last_signal(&mut node), Some(Command::Rejected));
    assert!(node.is_open());
    router.send(b"still there").unwrap();
    let mut pair = [router, node];
    exchange(&mut pair);
    assert_eq!(
        events(&mut pair[1]),
        [Event::Received(b"still there".to_vec())]
    );
}

#[test]
fn answers_do_not_pile_up() {
    let [_, mut node] = opened(247, 10);
    for _ in 0..1000 {
        let _ = node.receive(&frame::join(SIGNALLING_CID, &[0x12, 5, 0, 0]));
    }
    assert_eq!(
        std::iter::from_fn(|| node.poll_frame()).count(),
        MAX_ANSWERS
    );
}

#[test]
fn settings_by_which_nothing_passes_do_not_exist() {
    for (cid, mps, credits) in [
        (0x3f, 247, 10),
        (0x80, 247, 10),
        (0x40, 22, 10),
        (0x40, 65_534, 10),
        (0x40, 247, 1),
    ] {
        assert_eq!(Settings::new(cid, mps, credits), None);
    }
}

/// Settings of every kind, small ones more often.
fn any_settings(cid: u16) -> impl Strategy<Value = Settings> {
    let mps = prop_oneof![4 => 23..300_u16, 1 => 300..=65_533_u16];
    let credits = prop_oneof![4 => 2..20_u16, 1 => 20..=u16::MAX];
    (mps, credits).prop_map(move |(mps, credits)| settings(cid, mps, credits))
}

/// Two ends of different settings with an open channel.
fn any_opened() -> impl Strategy<Value = [Channel; 2]> {
    (any_settings(ROUTER_CID), any_settings(NODE_CID)).prop_map(|(router, node)| {
        let mut pair = [Channel::connect(router), Channel::listen(node)];
        exchange(&mut pair);
        for end in &mut pair {
            assert!(matches!(events(end)[..], [Event::Opened(_)]));
        }
        pair
    })
}

/// Frames of any octets, of right form, and with commands of right form.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let cid = prop_oneof![
        Just(SIGNALLING_CID),
        Just(ROUTER_CID),
        Just(NODE_CID),
        any::<u16>()
    ];
    let octets = || prop::collection::vec(any::<u8>(), 0..40);
    let code = prop_oneof![1..3_u8, 6..8_u8, 0x14..0x17_u8];
    let data = prop::collection::vec(0..0x45_u8, 0..12);
    let command = (code, any::<u8>(), data).prop_map(|(code, id, data)| {
        let length = u8::try_from(data.len()).unwrap();
        frame::join(
            SIGNALLING_CID,
            &[&[code, id, length, 0][..], &data].concat(),
        )
    });
    prop_oneof![
        1 => octets(),
        2 => (cid, octets()).prop_map(|(cid, payload)| frame::join(cid, &payload)),
        2 => command,
    ]
}

/// The credits that a frame gives; `None` if it carries payload.
fn credits_in(frame: &[u8]) -> Option<u16> {
    let (cid, payload) = frame::split(frame).unwrap();
    let signal = (cid == SIGNALLING_CID).then(|| Signal::parse(payload).unwrap())?;
    match signal.command {
        Command::Credit { credits, .. } => Some(credits),
        other => panic!("{other:?}"),
    }
}

proptest! {
    /// Whatever the ends agree on and in whatever order frames pass, SDUs arrive whole and in
    /// order, and no end sends what it has no credit for.
    #[test]
    fn sdus_arrive_as_they_were_sent(
        mut pair in any_opened(),
        sdus in prop::collection::vec((0..2_usize, 0..=MTU), 1..12),
        turns in prop::collection::vec(0..4_usize, 0..400),
    ) {
        let (mut sent, mut got) = ([vec![], vec![]], [vec![], vec![]]);
        for (number, (from, length)) in (0_u8..).zip(sdus) {
            let sdu = vec![number; length];
            pair[from].send(&sdu).unwrap();
            sent[1 - from].push(Event::Received(sdu));
        }
        let mut held = [pair[0].credits(), pair[1].credits()];
        let mut air: [VecDeque<Vec<u8>>; 2] = Default::default();
        // The turns at random, then as many as it takes.
        for turn in turns.into_iter().chain((0..4).cycle().take(20_000)) {
            let end = turn % 2;
            if turn < 2 {
                let frame = pair[end].poll_frame();
                if frame.as_deref().is_some_and(|frame| credits_in(frame).is_none()) {
                    prop_assert!(held[end] > 0, "sent without a credit");
                    held[end] -= 1;
                }
                air[1 - end].extend(frame);
            } else if let Some(frame) = air[end].pop_front() {
                held[end] += credits_in(&frame).unwrap_or(0);
                prop_assert_eq!(pair[end].receive(&frame), Ok(()));
                got[end].extend(events(&mut pair[end]));
            }
            prop_assert_eq!(pair[end].credits(), held[end]);
        }
        prop_assert_eq!(got, sent);
    }

    /// On a link without delay no end ever waits for credits, whatever the settings.
    #[test]
    fn credits_come_back_before_the_last_is_spent(
        mut pair in any_opened(),
        from in 0..2_usize,
        lengths in prop::collection::vec(0..=MTU, 1..12),
    ) {
        for length in &lengths {
            pair[from].send(&vec![7; *length]).unwrap();
        }
        while let Some(frame) = pair[from].poll_frame() {
            pair[1 - from].receive(&frame).unwrap();
            while let Some(credit) = pair[1 - from].poll_frame() {
                pair[from].receive(&credit).unwrap();
            }
            prop_assert!(pair[from].credits() > 0);
        }
        prop_assert_eq!(events(&mut pair[1 - from]).len(), lengths.len());
    }

    #[test]
    fn no_frames_make_it_panic(
        is_router: bool,
        frames in prop::collection::vec(any_frame(), 0..40),
    ) {
        let [router, node] = opened(23, 3);
        let mut channel = if is_router { router } else { node };
        for frame in frames {
            let _ = channel.receive(&frame);
            let _ = channel.send(&frame);
            while channel.poll_frame().is_some() {}
        }
        let ends = events(&mut channel);
        let closed = ends.iter().filter(|event| matches!(event, Event::Closed(_))).count();
        prop_assert!(closed <= 1, "{:?}", ends);
    }
}
