@echo off
rem Runs the Gradle that gradle\wrapper\gradle-wrapper.properties names: the one in Gradle's own cache,
rem or a download whose SHA-256 is the pinned one, as gradle\wrapper\distribution.ps1 finds it.
setlocal
set "GRADLE_FOLDER="
for /f "usebackq delims=" %%i in (`powershell.exe -NoLogo -NoProfile -NonInteractive -ExecutionPolicy Bypass -File "%~dp0gradle\wrapper\distribution.ps1"`) do set "GRADLE_FOLDER=%%i"
if not defined GRADLE_FOLDER exit /b 1
call "%GRADLE_FOLDER%\bin\gradle.bat" %*
exit /b %ERRORLEVEL%
