import Testing

@testable import Console

@Suite struct `The pace of frames` {
    @Test func `the first frame goes at once and the second waits for both answers`() {
        var pacer = FramePacer()
        pacer.didAsk(now: 0)
        #expect(pacer.maySend(now: 0))
        pacer.didSendFrame(now: 0)
        #expect(!pacer.maySend(now: 0.5))
        pacer.didReceiveAnswer(now: 0.6)
        #expect(!pacer.maySend(now: 0.6), "the frame itself has not arrived")
        pacer.didReceiveAnswer(now: 0.9)
        #expect(pacer.maySend(now: 0.9))
        #expect(pacer.roundTrip == 0.9)
    }

    @Test func `a terminal that never answers is asked twice and then gets timed frames`() {
        var pacer = FramePacer()
        pacer.didAsk(now: 0)
        pacer.didSendFrame(now: 0)
        #expect(pacer.deadline == 1)
        #expect(pacer.advance(now: 0.9) == false)
        #expect(pacer.advance(now: 1) == true)
        pacer.didAsk(now: 1)
        #expect(pacer.deadline == 2)
        #expect(pacer.advance(now: 1.9) == false)
        #expect(pacer.pace == .probing)
        #expect(pacer.advance(now: 2) == false)
        #expect(pacer.pace == .timed)
        #expect(pacer.maySend(now: 2))
        pacer.didSendFrame(now: 2)
        #expect(!pacer.maySend(now: 2.2) && pacer.maySend(now: 2.25))
        #expect(pacer.deadline == nil && pacer.roundTrip == nil)
    }

    @Test func `a late answer turns timed frames back into acknowledged ones`() {
        var pacer = FramePacer()
        pacer.didAsk(now: 0)
        pacer.didSendFrame(now: 0)
        _ = pacer.advance(now: 2)
        pacer.didReceiveAnswer(now: 3)
        #expect(pacer.pace == .acknowledged)
        pacer.didSendFrame(now: 3)
        #expect(!pacer.maySend(now: 4))
    }

    @Test func `an answer that got lost delays a frame by ten seconds and no more`() {
        var pacer = FramePacer()
        pacer.didAsk(now: 0)
        pacer.didReceiveAnswer(now: 0.1)
        pacer.didSendFrame(now: 1)
        #expect(!pacer.maySend(now: 10.9))
        #expect(pacer.earliestFrame == 11 && pacer.maySend(now: 11))
        pacer.didSendFrame(now: 11)
        #expect(pacer.asked == [11], "the lost one is forgotten")
        pacer.didReceiveAnswer(now: 11.2)
        #expect(pacer.maySend(now: 11.2))
    }
}
