#include "net/certificate_text.hpp"

#include "net/printable.hpp"

#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <array>
#include <ctime>

namespace martlet::net {

namespace {

constexpr std::size_t names_told_max = 5;
constexpr std::size_t name_size_max = 253;  // of a DNS name

std::string_view view_of(const ASN1_STRING* text) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
            static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string subject_text(const X509_NAME* name) {
    const bio_ptr out(BIO_new(BIO_s_mem()));
    if (!out) return {};
    X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
    char* text = nullptr;
    const long size = BIO_get_mem_data(out.get(), &text);
    return size > 0 ? printable({text, static_cast<std::size_t>(size)}, name_size_max) : std::string();
}

std::string address_text(std::string_view octets) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = octets.size() == 4 ? AF_INET : AF_INET6;
    if (octets.size() != 4 && octets.size() != 16) return "?";
    return ::inet_ntop(family, octets.data(), text.data(), text.size()) != nullptr ? text.data() : "?";
}

// "a.example, *.b.example, 192.0.2.1"; empty if there are no names beside the subject.
std::string alternative_names(const X509* certificate) {
    std::string all;
    auto* const names =
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    std::size_t told = 0;
    const int count = names != nullptr ? sk_GENERAL_NAME_num(names) : 0;
    for (int i = 0; i < count && told <= names_told_max; ++i) {
        const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
        std::string one;
        if (name->type == GEN_DNS) one = printable(view_of(name->d.dNSName), name_size_max);
        if (name->type == GEN_IPADD) one = address_text(view_of(name->d.iPAddress));
        if (one.empty()) continue;
        if (told++ == names_told_max) one = "...";
        all += (all.empty() ? "" : ", ") + one;
    }
    GENERAL_NAMES_free(names);
    return all;
}

std::string date_text(const ASN1_TIME* time) {
    std::tm parts{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable date";
    std::array<char, 64> text{};
    (void)std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
    return text.data();
}

}  // namespace

std::string common_name_of(const X509* certificate) {
    const X509_NAME* const subject = X509_get_subject_name(certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) return {};
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size < 0) return {};
    std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
    OPENSSL_free(text);
    return name;
}

std::string name_of(const X509* certificate) {
    if (certificate == nullptr) return "?";
    if (const std::string name = common_name_of(certificate); !name.empty()) return printable(name, name_size_max);
    const std::string names = alternative_names(certificate);
    if (!names.empty()) return names.substr(0, names.find(','));
    const std::string subject = subject_text(X509_get_subject_name(certificate));
    return subject.empty() ? "?" : subject;
}

certificate_verdict explain_verification(int failure, const X509* at, std::string_view host) {
    const std::string subject = "certificate of " + name_of(at);
    const std::string issuer = at != nullptr ? subject_text(X509_get_issuer_name(at)) : "?";
    switch (failure) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return {errc::certificate_expired,
                    subject + " expired on " + date_text(at != nullptr ? X509_get0_notAfter(at) : nullptr)};
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return {errc::certificate_not_yet_valid,
                    subject + " is valid only from " + date_text(at != nullptr ? X509_get0_notBefore(at) : nullptr)};
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH: {
            std::string names = at != nullptr ? alternative_names(at) : std::string();
            if (names.empty()) names = name_of(at);
            return {errc::certificate_wrong_host, "certificate is for " + names + ", not for " + std::string(host)};
        }
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return {errc::certificate_untrusted, subject + " is self-signed and not among the trusted ones"};
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
            return {errc::certificate_untrusted, subject + ", the root of the chain, is not among the trusted ones"};
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_CERT_UNTRUSTED:
            return {errc::certificate_untrusted, subject + " was issued by " + issuer + ", which is not trusted"};
        case X509_V_ERR_CERT_REVOKED: return {errc::certificate_revoked, subject + " was revoked by " + issuer};
        case X509_V_ERR_EE_KEY_TOO_SMALL:
        case X509_V_ERR_CA_KEY_TOO_SMALL: return {errc::certificate_weak, "key of the " + subject + " is too weak"};
        case X509_V_ERR_CA_MD_TOO_WEAK: return {errc::certificate_weak, "signature of the " + subject + " is too weak"};
        case X509_V_ERR_UNABLE_TO_GET_CRL:
            return {errc::certificate_invalid,
                    subject + " cannot be checked: there is no revocation list of " + issuer};
        case X509_V_ERR_CRL_HAS_EXPIRED:
            return {errc::certificate_invalid,
                    subject + " cannot be checked: the revocation list of " + issuer + " is out of date"};
        case X509_V_ERR_INVALID_PURPOSE:
            return {errc::certificate_invalid, subject + " is not meant for this end of a TLS connection"};
        default: return {errc::certificate_invalid, subject + ": " + X509_verify_cert_error_string(failure)};
    }
}

}  // namespace martlet::net
