import Foundation
import Testing

@testable import EdgeControl

@Suite struct SigningIdentityTests {
    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "selvage-signing-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    @Test func `the certificate is made once and stays, its key for the server alone`() throws {
        try withFolder { folder in
            let now = WallTime(seconds: 1_800_000_000)
            let first = try SigningIdentity(folder: folder, now: now)
            #expect(first.certificatePEM.hasPrefix("-----BEGIN CERTIFICATE-----"))
            let later = try SigningIdentity(folder: folder, now: WallTime(seconds: 1_900_000_000))
            #expect(later.certificatePEM == first.certificatePEM)
            let mode = try FileManager.default.attributesOfItem(atPath: folder + "/signing.key")[.posixPermissions]
            #expect(mode as? Int == 0o600)
            // As after a crash between the two files: nobody was ever given that certificate.
            try FileManager.default.removeItem(atPath: folder + "/signing.pem")
            #expect(try SigningIdentity(folder: folder, now: now).certificatePEM != first.certificatePEM)
        }
    }

    @Test func `a key that is not that of the certificate, or none, is a mistake that names the file`() throws {
        try withFolder { folder in
            let now = WallTime(seconds: 1_800_000_000)
            _ = try SigningIdentity(folder: folder, now: now)
            try FileManager.default.removeItem(atPath: folder + "/signing.key")
            let missing = #expect(throws: InternalAuthority.Failure.self) {
                try SigningIdentity(folder: folder, now: now)
            }
            #expect(missing?.description.contains(folder) == true)
            _ = try InternalAuthority(folder: folder, now: now)
            try FileManager.default.copyItem(atPath: folder + "/authority.key", toPath: folder + "/signing.key")
            #expect(throws: InternalAuthority.Failure.self) { try SigningIdentity(folder: folder, now: now) }
        }
    }
}
