import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Security;
import java.security.cert.CertPathValidator;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.util.Date;
import java.util.List;
import java.util.Set;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/**
 * Judges lines of "CSCA SOD CRL SECONDS" from a file: is the CMS signed by a certificate in it whose path ends at the
 * CSCA, not revoked by the list, at that moment? One line of answer for each.
 */
public final class Judge {
    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String[] parts = line.split(" ");
            String answer;
            try {
                judge(parts);
                answer = "accepted";
            } catch (Exception refusal) {
                answer = "refused: " + refusal;
            }
            System.out.println(answer.replace('\n', ' '));
        }
    }

    private static void judge(String[] parts) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509", "BC");
        X509Certificate csca;
        X509CRL crl;
        try (var input = Files.newInputStream(Path.of(parts[0]))) {
            csca = (X509Certificate) factory.generateCertificate(input);
        }
        try (var input = Files.newInputStream(Path.of(parts[2]))) {
            crl = (X509CRL) factory.generateCRL(input);
        }
        CMSSignedData cms = new CMSSignedData(Files.readAllBytes(Path.of(parts[1])));
        SignerInformation signer = cms.getSignerInfos().getSigners().iterator().next();
        @SuppressWarnings("unchecked")
        var matches = cms.getCertificates().getMatches(signer.getSID());
        X509CertificateHolder holder = (X509CertificateHolder) matches.iterator().next();
        X509Certificate certificate = new JcaX509CertificateConverter().setProvider("BC").getCertificate(holder);
        if (!signer.verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(certificate))) {
            throw new Exception("the signature does not verify");
        }
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(csca, null)));
        parameters.setDate(new Date(Long.parseLong(parts[3]) * 1000));
        parameters.setRevocationEnabled(true);
        parameters.addCertStore(
                CertStore.getInstance("Collection", new CollectionCertStoreParameters(List.of(crl)), "BC"));
        CertPathValidator.getInstance("PKIX", "BC")
                .validate(factory.generateCertPath(List.of(certificate)), parameters);
    }
}
