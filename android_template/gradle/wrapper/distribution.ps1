# Writes the folder of the Gradle that gradle-wrapper.properties names: of Gradle's own cache, or
# of a download whose SHA-256 is the pinned one. What gradlew does in sh, for gradlew.bat.
# Of Windows PowerShell 5.1, which every Windows has.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Add-Type -AssemblyName System.Numerics, System.IO.Compression.FileSystem

function Fail($sentence) {
    [Console]::Error.WriteLine("gradlew: $sentence")
    exit 1
}

$file = Join-Path $PSScriptRoot 'gradle-wrapper.properties'
$properties = @{}
foreach ($line in [IO.File]::ReadAllLines($file)) {
    if ($line -match '^\s*(\w+)\s*=\s*(.*)$') {
        $name = $Matches[1]
        $properties[$name] = $Matches[2].Trim() -replace '\\(.)', '$1'
    }
}

$url = $properties['distributionUrl']
$pinned = $properties['distributionSha256Sum']
if ($url -notmatch '^(https?://|file:/)') { Fail "distributionUrl in $file is no address: '$url'" }
if (-not $pinned) { Fail "$file pins no distributionSha256Sum (https://gradle.org/release-checksums)" }

# The MD5 of the address in base 36, as Gradle names its folders.
$md5 = [Security.Cryptography.MD5]::Create().ComputeHash([Text.Encoding]::UTF8.GetBytes($url))
[Array]::Reverse($md5)
$number = New-Object Numerics.BigInteger (,[byte[]]($md5 + 0))
$digits = '0123456789abcdefghijklmnopqrstuvwxyz'
$hash = ''
do {
    $hash = $digits.Substring([int]($number % 36), 1) + $hash
    $number = [Numerics.BigInteger]::Divide($number, 36)
} while (-not $number.IsZero)

$base = $env:GRADLE_USER_HOME
if (-not $base) { $base = Join-Path $env:USERPROFILE '.gradle' }
if ($properties['distributionBase'] -eq 'PROJECT') { $base = Split-Path (Split-Path $PSScriptRoot) }
$path = $properties['distributionPath']
if (-not $path) { $path = 'wrapper/dists' }
$zip = $url.Substring($url.LastIndexOf('/') + 1)
$name = $zip -replace '\.zip$', ''
$parent = Join-Path (Join-Path $base $path) $name
$store = Join-Path $parent $hash
$mark = Join-Path $store "$zip.ok"

function Find-Gradle($folder) {
    Get-ChildItem -LiteralPath $folder -Directory |
        Where-Object { Test-Path -LiteralPath (Join-Path $_.FullName 'bin\gradle.bat') } |
        Select-Object -First 1 -ExpandProperty FullName
}

if (-not (Test-Path -LiteralPath $mark)) {
    $scratch = Join-Path $parent ('download.' + [IO.Path]::GetRandomFileName())
    [void][IO.Directory]::CreateDirectory($scratch)
    try {
        [Console]::Error.WriteLine("Downloading $url")
        $download = Join-Path $scratch $zip
        [Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12
        try {
            (New-Object Net.WebClient).DownloadFile($url, $download)
        } catch {
            Fail "$url cannot be downloaded: $($_.Exception.Message)"
        }
        $found = (Get-FileHash -LiteralPath $download -Algorithm SHA256).Hash.ToLowerInvariant()
        if ($found -ne $pinned) {
            Fail "what $url gave has the SHA-256 $found, and $pinned is pinned: it is not used"
        }
        $unpacked = Join-Path $scratch 'unpacked'
        [IO.Compression.ZipFile]::ExtractToDirectory($download, $unpacked)
        $home_ = Find-Gradle $unpacked
        if (-not $home_) { Fail "$url holds no Gradle" }
        if (-not (Test-Path -LiteralPath $mark)) { # else another one was faster
            if (Test-Path -LiteralPath $store) { Remove-Item -LiteralPath $store -Recurse -Force }
            [void][IO.Directory]::CreateDirectory($store)
            Move-Item -LiteralPath $home_ -Destination $store
            [IO.File]::WriteAllText($mark, '')
        }
    } finally {
        Remove-Item -LiteralPath $scratch -Recurse -Force
    }
}
$found = Find-Gradle $store
if (-not $found) { Fail "$store holds no Gradle; delete it" }
[Console]::Out.WriteLine($found)
