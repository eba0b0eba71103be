import CExpat

/// What an identity provider says of itself: its `EntityDescriptor` (SAML 2.0 Metadata, 2.3.2), in XML.
///
/// Comes from outside: a document type, with which XML can be made to grow without bounds or to read files, is refused
/// before anything in it is looked at.
struct SAMLMetadata: Equatable {
    /// Bytes; metadata with a handful of certificates has some 10,000.
    static let maximumLength = 256 << 10
    static let maximumDepth = 64

    struct Mistake: Error, Equatable {
        let reason: String
    }

    /// The identity provider's name for itself.
    let entityID: String
    /// Where a browser is sent to log in.
    let signOnLocations: [String]

    /// - Throws: `Mistake` when it is not well-formed, or describes no identity provider.
    init(_ text: String) throws(Mistake) {
        let scanner = SAMLMetadataScanner()
        if let reason = scanner.read(text) { throw Mistake(reason: reason) }
        guard !scanner.entityID.isEmpty else { throw Mistake(reason: "the EntityDescriptor has no entityID") }
        guard scanner.describesProvider else {
            throw Mistake(reason: "it holds no IDPSSODescriptor, so it describes no identity provider")
        }
        guard !scanner.signOnLocations.isEmpty else {
            throw Mistake(reason: "the IDPSSODescriptor has no SingleSignOnService with a Location")
        }
        entityID = scanner.entityID
        signOnLocations = scanner.signOnLocations
    }

    static let example = """
        <EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.com/metadata">\
        <IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">\
        <SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" \
        Location="https://idp.example.com/sso"/></IDPSSODescriptor></EntityDescriptor>
        """
}

/// Expat's callbacks, and what they have found so far.
private final class SAMLMetadataScanner {
    private static let namespace = "urn:oasis:names:tc:SAML:2.0:metadata"

    private(set) var entityID = ""
    private(set) var describesProvider = false
    private(set) var signOnLocations: [String] = []
    private var path: [String] = []
    private var refusal: String?
    private var parser: XML_Parser?

    /// What is wrong with the text, or `nil`.
    func read(_ text: String) -> String? {
        // Names come as namespace|name: a bar cannot be in either.
        guard let parser = XML_ParserCreateNS("UTF-8", 0x7C) else { return "there is no memory for it" }
        self.parser = parser
        defer {
            XML_ParserFree(parser)
            self.parser = nil
        }
        XML_SetUserData(parser, Unmanaged.passUnretained(self).toOpaque())
        XML_SetElementHandler(
            parser,
            { this, name, attributes in
                SAMLMetadataScanner.of(this)?.begin(name, attributes)
            },
            { this, _ in SAMLMetadataScanner.of(this)?.end() })
        XML_SetStartDoctypeDeclHandler(parser) { this, _, _, _, _ in
            SAMLMetadataScanner.of(this)?.refuse("a document type is not allowed")
        }
        let bytes = Array(text.utf8)
        let status = bytes.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { XML_Parse(parser, $0.baseAddress, Int32($0.count), 1) }
        }
        if let refusal { return refusal }
        guard status == XML_STATUS_OK else {
            let reason = XML_ErrorString(XML_GetErrorCode(parser)).map { String(cString: $0) } ?? "it is not XML"
            return "\(reason) on line \(XML_GetCurrentLineNumber(parser))"
        }
        return nil
    }

    private static func of(_ pointer: UnsafeMutableRawPointer?) -> SAMLMetadataScanner? {
        pointer.map { Unmanaged<SAMLMetadataScanner>.fromOpaque($0).takeUnretainedValue() }
    }

    private func refuse(_ reason: String) {
        // Expat may tell of what it had read already before it stops.
        guard refusal == nil else { return }
        refusal = reason
        _ = XML_StopParser(parser, XML_Bool(0))
    }

    private func begin(
        _ name: UnsafePointer<CChar>?, _ attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?
    ) {
        guard refusal == nil else { return }
        guard path.count < SAMLMetadata.maximumDepth else { return refuse("it nests too deep") }
        let full = name.map { String(cString: $0) } ?? ""
        let isKnown = full.hasPrefix(SAMLMetadataScanner.namespace + "|")
        let name = isKnown ? String(full.dropFirst(SAMLMetadataScanner.namespace.count + 1)) : "?"
        if path.isEmpty {
            guard name == "EntityDescriptor" else {
                return refuse("it is no EntityDescriptor of the namespace \(SAMLMetadataScanner.namespace)")
            }
            entityID = SAMLMetadataScanner.attribute("entityID", attributes)
        }
        path.append(name)
        if path == ["EntityDescriptor", "IDPSSODescriptor"] { describesProvider = true }
        if path == ["EntityDescriptor", "IDPSSODescriptor", "SingleSignOnService"] {
            let location = SAMLMetadataScanner.attribute("Location", attributes)
            if !location.isEmpty { signOnLocations.append(location) }
        }
    }

    private func end() {
        guard refusal == nil, !path.isEmpty else { return }
        path.removeLast()
    }

    /// Names and values in turn, ended by a null pointer.
    private static func attribute(
        _ name: String, _ attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?
    ) -> String {
        guard let attributes else { return "" }
        var index = 0
        while let key = attributes[index], let value = attributes[index + 1] {
            if String(cString: key) == name { return String(cString: value) }
            index += 2
        }
        return ""
    }
}
