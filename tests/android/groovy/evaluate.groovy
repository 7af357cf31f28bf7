// Runs a Gradle script with a delegate that writes down what it is told, as JSON: "android.x": value.
import groovy.json.JsonOutput

class Recorder {
    private static final Map KNOWN = [
        JavaVersion: [VERSION_17: 'VERSION_17'],
        RepositoriesMode: [FAIL_ON_PROJECT_REPOS: 'FAIL_ON_PROJECT_REPOS'],
        providers: new Given(),
    ]
    private final Map record
    private final String prefix

    Recorder(Map record, String prefix) {
        this.record = record
        this.prefix = prefix
    }

    private String inside(String name) { prefix ? "$prefix.$name" : name }

    def propertyMissing(String name) {
        KNOWN.containsKey(name) ? KNOWN[name] : new Recorder(record, inside(name))
    }

    Object plus(List more) { more }

    void propertyMissing(String name, Object value) { record[inside(name)] = value.toString() }

    def methodMissing(String name, Object arguments) {
        def given = arguments as List
        if (given && given.last() instanceof Closure) {
            Closure block = given.last()
            block.delegate = new Recorder(record, inside(name))
            block.resolveStrategy = Closure.DELEGATE_ONLY
            block.call()
        } else {
            record.computeIfAbsent(inside(name)) { [] } << given*.toString()
        }
        this
    }

    @Override
    String toString() { prefix }
}

// What stands behind -P on Gradle's command line; here behind the file's name.
class Given {
    static List<String> properties = []

    Optional<String> gradleProperty(String name) { Optional.ofNullable(properties.find { it == name }) }
}

abstract class GradleScript extends DelegatingScript {}

def configuration = new org.codehaus.groovy.control.CompilerConfiguration()
configuration.scriptBaseClass = GradleScript.name
Given.properties = args.drop(1) as List
def found = [:]
def shell = new GroovyShell(this.class.classLoader, new Binding(), configuration)
def script = shell.parse(new File(args[0])) as DelegatingScript
script.setDelegate(new Recorder(found, '')) // as a property it would be the script's own
script.run()
println JsonOutput.toJson(found)
