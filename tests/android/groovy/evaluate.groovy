// Runs a Gradle script with a delegate that writes down what it is told, as JSON: "android.x": value.
import groovy.json.JsonOutput

class Recorder {
    private static final Map KNOWN = [
        JavaVersion: [VERSION_17: 'VERSION_17'],
        RepositoriesMode: [FAIL_ON_PROJECT_REPOS: 'FAIL_ON_PROJECT_REPOS'],
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

abstract class GradleScript extends DelegatingScript {}

def configuration = new org.codehaus.groovy.control.CompilerConfiguration()
configuration.scriptBaseClass = GradleScript.name
def found = [:]
def shell = new GroovyShell(this.class.classLoader, new Binding(), configuration)
def script = shell.parse(new File(args[0])) as DelegatingScript
script.setDelegate(new Recorder(found, '')) // as a property it would be the script's own
script.run()
println JsonOutput.toJson(found)
